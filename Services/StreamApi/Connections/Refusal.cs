using System.Globalization;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>Why a connection was not opened, in words for the client.</summary>
/// <param name="Status">The HTTP status, 429 or 503.</param>
/// <param name="Slug">The problem's stable name.</param>
/// <param name="Detail">What the matter is.</param>
/// <param name="RetryAfterSeconds">When to try again.</param>
internal sealed record Refusal(int Status, string Slug, string Detail, int RetryAfterSeconds)
{
    private const int RetrySeconds = 5;

    /// <summary>The replica stops.</summary>
    public static Refusal Draining { get; } =
        new(StatusCodes.Status503ServiceUnavailable, "draining", "This replica is about to stop.", 1);

    /// <summary>Too many streams.</summary>
    public static Refusal TooManyStreams { get; } = new(
        StatusCodes.Status503ServiceUnavailable, "too-many-streams", "This replica follows as many streams as it may.", RetrySeconds);

    /// <summary>Too little memory.</summary>
    public static Refusal MemoryLimit { get; } = new(
        StatusCodes.Status503ServiceUnavailable, "memory-limit", "This replica is short of memory.", RetrySeconds);

    /// <summary>Too many connections.</summary>
    public static Refusal TooManyConnections(int limit) => new(
        StatusCodes.Status503ServiceUnavailable, "too-many-connections", Format($"This replica may have {limit} connections."), RetrySeconds);

    /// <summary>Too many connections of one address.</summary>
    public static Refusal TooManyFromAddress(int limit) => new(
        StatusCodes.Status429TooManyRequests, "too-many-connections-from-address", Format($"An address may have {limit} connections."), RetrySeconds);

    /// <summary>Too many attempts of one address.</summary>
    public static Refusal TooManyAttempts(double perSecond, TimeSpan retryAfter) => new(
        StatusCodes.Status429TooManyRequests,
        "too-many-attempts",
        Format($"An address may go on connecting {perSecond} times a second."),
        Math.Max(1, (int)Math.Ceiling(retryAfter.TotalSeconds)));

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
