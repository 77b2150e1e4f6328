using System.Globalization;

namespace AspireStreaming.Client;

/// <summary>Where a subscription or a page starts. The default is the beginning of the stream.</summary>
public readonly record struct StartAt
{
    private readonly string? _text;

    private StartAt(string text) => _text = text;

    /// <summary>The first event that the stream still has.</summary>
    public static StartAt Beginning => new("start");

    /// <summary>What comes from now on.</summary>
    public static StartAt Now => new("now");

    /// <summary>Starts after a position.</summary>
    public static implicit operator StartAt(StreamPosition position) => After(position);

    /// <summary>The first event after a position.</summary>
    public static StartAt After(StreamPosition position) => new(position.ToString());

    /// <summary>The first event that was recorded at this time or later.</summary>
    public static StartAt Time(DateTimeOffset time) =>
        new(time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", CultureInfo.InvariantCulture));

    /// <summary>As a position, the operator's other form.</summary>
    public static StartAt FromStreamPosition(StreamPosition position) => After(position);

    /// <summary>As the service takes it.</summary>
    public override string ToString() => _text ?? "start";

    /// <summary>Whatever a user wrote; the service judges it.</summary>
    internal static StartAt Text(string text) => new(text);
}
