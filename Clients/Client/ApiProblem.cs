using System.Text.Json;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client;

/// <summary>A service's explanation (RFC 9457) as far as it gave one.</summary>
/// <param name="Type">Stable identifier, <c>urn:aspirestreaming:problem:*</c>.</param>
/// <param name="Title">Short sentence.</param>
/// <param name="Detail">What exactly was wrong.</param>
/// <param name="Index">0-based index of the event in the request that is to blame.</param>
public sealed record ApiProblem(string? Type, string? Title, string? Detail, int? Index)
{
    /// <summary>No explanation.</summary>
    public static ApiProblem None { get; } = new(null, null, null, null);

    /// <summary>The attribute, parameter or header at fault.</summary>
    public string? Field { get; init; }

    /// <summary>The limit that was passed.</summary>
    public long? Limit { get; init; }

    /// <summary>The 1-based line of an upload that is to blame.</summary>
    public long? Line { get; init; }

    /// <summary>Where the stream stands, when it was not where the publisher expected it.</summary>
    public StreamPosition? Current { get; init; }

    /// <summary>Ids that the service had given the events, with which the request can be repeated safely; empty for none.</summary>
    public IReadOnlyList<string> Ids { get; init; } = [];

    internal static ApiProblem Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            return root.ValueKind == JsonValueKind.Object
                ? new ApiProblem(root.String("type"), root.String("title"), root.String("detail"), (int?)root.Number("index"))
                {
                    Field = root.String("field") ?? root.String("parameter"),
                    Limit = root.Number("limit"),
                    Line = root.Number("line"),
                    Current = root.Position("current"),
                    Ids = root.TryGetProperty("ids", out var ids) && ids.ValueKind == JsonValueKind.Array
                        ? [.. ids.EnumerateArray().Where(static id => id.ValueKind == JsonValueKind.String).Select(static id => id.GetString()!)]
                        : [],
                }
                : None;
        }
        catch (JsonException)
        {
            return None;
        }
    }

    /// <summary>Title and detail in one line.</summary>
    public override string ToString() => (Title, Detail) switch
    {
        ({ Length: > 0 } title, { Length: > 0 } detail) => $"{title.TrimEnd('.')}: {detail}",
        ({ Length: > 0 } title, _) => title,
        (_, { Length: > 0 } detail) => detail,
        _ => "",
    };
}
