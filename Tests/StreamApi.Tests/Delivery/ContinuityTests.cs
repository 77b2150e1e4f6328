using System.Text;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Tests.Delivery;

public sealed class ContinuityTests
{
    [Theory]
    [InlineData("10-4", "10-5", null, nameof(Link.Adjacent))]
    [InlineData("10-4", "10-6", null, nameof(Link.Hole))]
    [InlineData("10-4", "20-5", "10-4", nameof(Link.ProvenBorder))]
    [InlineData("10-4", "20-4", "10-3", nameof(Link.UnprovenBorder))]
    [InlineData("10-4", "20-1", null, nameof(Link.UnprovenBorder))]
    [InlineData("10-4", "20-7", "10-6", nameof(Link.Hole))]
    [InlineData("10-4", "30-7", "20-6", nameof(Link.Hole))]
    [InlineData("15-1", "20-7", "10-6", nameof(Link.UnprovenBorder))]
    [InlineData("0-0", "10-1", null, nameof(Link.Adjacent))]
    [InlineData("0-0", "10-2", null, nameof(Link.Hole))]
    [InlineData("0-0", "10-2", "9-1", nameof(Link.Hole))]
    public void Judge_a_step_is_arithmetic(string cursor, string next, string? previous, string expected) =>
        Assert.Equal(expected, Continuity.Judge(At(cursor), At(next), previous is null ? null : At(previous)).ToString());

    [Theory]
    [InlineData("10-4", "10-5", null, true, null, null)]
    [InlineData("10-4", "10-8", null, true, "10-4 10-7 3 trimmed", null)]
    [InlineData("10-4", "20-5", "10-4", true, null, "10-4 20-5 0")]
    [InlineData("10-4", "20-1", null, true, null, "10-4 20-1 ")]
    [InlineData("10-4", "20-4", "10-3", false, "10-4 20-3  epoch", "10-4 20-4 ")]
    [InlineData("10-4", "20-7", "10-6", true, "10-4 10-6 2 trimmed", "10-6 20-7 0")]
    [InlineData("10-4", "30-7", "20-6", true, "10-4 20-6  trimmed", "20-6 30-7 0")]
    [InlineData("0-0", "10-5", null, true, "0-0 10-4  trimmed", null)]
    public void Describe_what_is_missing_is_told(string cursor, string next, string? previous, bool verified, string? gap, string? border)
    {
        var told = Continuity.Describe(At(cursor), Event(next, previous), GapReasons.Trimmed, verified);

        Assert.Equal(gap, told?.Gap is { } missing ? $"{missing.From} {missing.To} {missing.Missed} {missing.Reason}" : null);
        Assert.Equal(border, told?.Border is { } crossed ? $"{crossed.Previous} {crossed.Current} {crossed.Missed}" : null);
    }

    internal static StreamPosition At(string text) => StreamPosition.Parse(Encoding.ASCII.GetBytes(text));

    internal static EncodedEvent Event(string position, string? previous = null, string type = "T", EventFlags flags = EventFlags.None) => EncodedEvent.Encode(
        "s",
        new StoredEvent(
            At(position),
            1_700_000_000_000,
            new EventFrame(EventFrame.Encode(type, flags, "\"specversion\":\"1.0\",\"id\":\"a\"}"u8)),
            previous is null ? null : At(previous)));
}
