using System.Globalization;
using System.Text;
using System.Text.Json;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>How a stream ended.</summary>
/// <param name="Type">Type of the terminal event, or <see cref="StreamStates.DeletedType"/>.</param>
/// <param name="Position">The last position.</param>
internal sealed record StreamEnd(string Type, StreamPosition Position);

/// <summary>A control event to a subscriber: its name and its data, one line of JSON. It never moves the cursor.</summary>
internal readonly record struct ControlEvent(string Name, string Json)
{
    public static ControlEvent CaughtUp(string stream, StreamPosition position) =>
        new("stream.caught-up", Format($"{{\"stream\":\"{stream}\",\"position\":\"{position}\"}}"));

    public static ControlEvent Of(string stream, Gap gap) => new(
        "stream.gap",
        Format($"{{\"stream\":\"{stream}\",\"from\":\"{gap.From}\",\"to\":\"{gap.To}\",")
            + Format($"\"missed\":{Number(gap.Missed)},\"reason\":\"{gap.Reason}\"}}"));

    public static ControlEvent Of(string stream, EpochBorder border) => new(
        "stream.epoch",
        Format($"{{\"stream\":\"{stream}\",\"previous\":\"{border.Previous}\",\"current\":\"{border.Current}\",")
            + Format($"\"missed\":{Number(border.Missed)}}}"));

    public static ControlEvent Of(string stream, Passage passed) =>
        new("stream.passed", Format($"{{\"stream\":\"{stream}\",\"from\":\"{passed.From}\",\"to\":\"{passed.To}\"}}"));

    public static ControlEvent Of(string stream, StreamEnd end) => new(
        "stream.end", Format($"{{\"stream\":\"{stream}\",\"type\":\"{JsonEncodedText.Encode(end.Type)}\",\"position\":\"{end.Position}\"}}"));

    public static ControlEvent Dropped(string stream, StreamPosition from, StreamPosition to, long missed) =>
        new("stream.dropped", Format($"{{\"stream\":\"{stream}\",\"from\":\"{from}\",\"to\":\"{to}\",\"missed\":{missed}}}"));

    public static ControlEvent Drain(string stream, int retryMilliseconds, string reason) =>
        new("stream.drain", Format($"{{\"stream\":\"{stream}\",\"retryMs\":{retryMilliseconds},\"reason\":\"{reason}\"}}"));

    /// <summary>A whole session is to come back later; it names no stream, because it concerns all.</summary>
    public static ControlEvent SessionDrain(int retryMilliseconds, string reason) =>
        new("stream.drain", Format($"{{\"retryMs\":{retryMilliseconds},\"reason\":\"{reason}\"}}"));

    /// <summary>As an SSE frame, without an id.</summary>
    public byte[] ToSse() => Encoding.UTF8.GetBytes($"event: {Name}\ndata: {Json}\n\n");

    private static string Format(FormattableString text) => FormattableString.Invariant(text);

    private static string Number(long? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "null";

}
