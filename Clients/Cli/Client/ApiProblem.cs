using System.Text.Json;

namespace AspireStreaming.Cli.Client;

/// <summary>A service's explanation (RFC 9457) as far as it gave one.</summary>
/// <param name="Type">Stable identifier.</param>
/// <param name="Title">Short sentence.</param>
/// <param name="Detail">What exactly was wrong.</param>
/// <param name="Index">0-based index of the event in the request that is to blame.</param>
internal sealed record ApiProblem(string? Type, string? Title, string? Detail, int? Index)
{
    public static ApiProblem None { get; } = new(null, null, null, null);

    public static ApiProblem Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            return root.ValueKind == JsonValueKind.Object
                ? new ApiProblem(root.String("type"), root.String("title"), root.String("detail"), (int?)root.Number("index"))
                : None;
        }
        catch (JsonException)
        {
            return None;
        }
    }

    public override string ToString() => (Title, Detail) switch
    {
        ({ Length: > 0 } title, { Length: > 0 } detail) => $"{title.TrimEnd('.')}: {detail}",
        ({ Length: > 0 } title, _) => title,
        (_, { Length: > 0 } detail) => detail,
        _ => "",
    };
}
