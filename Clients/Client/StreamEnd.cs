using System.Text.Json;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client;

/// <summary>How a stream ended.</summary>
/// <param name="Type">The type of its last event, or <c>stream.deleted</c>.</param>
/// <param name="Position">Its last position; null if it was not said.</param>
public sealed record StreamEnd(string Type, StreamPosition? Position)
{
    internal static StreamEnd? Read(JsonElement element) =>
        element.String("type") is { } type ? new StreamEnd(type, element.Position("position")) : null;
}
