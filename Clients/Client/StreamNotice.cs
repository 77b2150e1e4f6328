using System.Text;
using System.Text.Json;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Client;

/// <summary>What the service says about a stream, in its place among the events: the kinds are the derived types.</summary>
public class StreamNotice : StreamItem
{
    internal StreamNotice(string stream, string name, string json)
        : base(stream)
    {
        Name = name;
        Json = json;
    }

    /// <summary>For instance <c>stream.gap</c>; unknown names are possible, newer services may say more.</summary>
    public string Name { get; }

    /// <summary>What was said, one JSON object.</summary>
    public string Json { get; }

    /// <summary>Whether it tells of events that this subscriber will not get, or may not get.</summary>
    public virtual bool IsLoss => false;

    /// <summary>Reads an announcement; one that lacks what its kind needs stays a plain <see cref="StreamNotice"/>.</summary>
    internal static StreamNotice Read(string name, ReadOnlyMemory<byte> json, string defaultStream)
    {
        var text = Encoding.UTF8.GetString(json.Span);
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            var stream = root.String("stream") ?? defaultStream;
            return name switch
            {
                "stream.gap" when StreamGap.Read(root) is { } gap => new GapNotice(stream, text, gap),
                "stream.dropped" when StreamGap.Read(root) is { } gap => new DroppedNotice(stream, text, gap),
                "stream.passed" when root.Position("from") is { } from && root.Position("to") is { } to => new PassedNotice(stream, text, from, to),
                "stream.epoch" => new EpochNotice(stream, text, root.Position("previous"), root.Position("current"), root.Number("missed")),
                "stream.caught-up" => new CaughtUpNotice(stream, text, root.Position("position")),
                "stream.drain" => new DrainNotice(stream, text, Delay(root.Number("retryMs")), root.String("reason")),
                "stream.end" => new EndNotice(stream, text, new StreamEnd(root.String("type") ?? "", root.Position("position"))),
                _ => new StreamNotice(stream, name, text),
            };
        }
        catch (JsonException)
        {
            return new StreamNotice(defaultStream, name, text);
        }
    }

    private static TimeSpan? Delay(long? milliseconds) =>
        milliseconds is >= 0 and < int.MaxValue and var value ? TimeSpan.FromMilliseconds(value) : null;
}
