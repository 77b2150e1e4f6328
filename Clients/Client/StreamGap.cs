using System.Text.Json;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client;

/// <summary>An announced hole.</summary>
/// <param name="From">Last position before it.</param>
/// <param name="To">Last missing position.</param>
/// <param name="Missed">Number of missing events; null = unknown.</param>
/// <param name="Reason"><c>trimmed</c>, <c>epoch</c>, <c>dead</c> or <c>unknown</c>; null where a policy skipped the events.</param>
public sealed record StreamGap(StreamPosition From, StreamPosition To, long? Missed, string? Reason)
{
    internal static StreamGap? Read(JsonElement element) =>
        element.ValueKind == JsonValueKind.Object && element.Position("to") is { } to
            ? new StreamGap(element.Position("from") ?? StreamPosition.Zero, to, element.Number("missed"), element.String("reason"))
            : null;
}
