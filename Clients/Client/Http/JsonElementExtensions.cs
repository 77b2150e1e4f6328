using System.Text.Json;

namespace AspireStreaming.Client.Http;

/// <summary>Lenient reading: what is absent or of another kind is null.</summary>
internal static class JsonElementExtensions
{
    public static string? String(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    public static long? Number(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value)
        && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number)
            ? number
            : null;

    public static StreamPosition? Position(this JsonElement element, string name) =>
        StreamPosition.TryParse(element.String(name), out var position) ? position : null;
}
