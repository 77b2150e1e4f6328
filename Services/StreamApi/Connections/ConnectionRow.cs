using System.Text.Json.Serialization;
using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>A connection, as <c>GET /connections</c> tells of it.</summary>
internal sealed record ConnectionRow(
    string Id,
    string Replica,
    string Transport,
    string? Remote,
    string? UserAgent,
    DateTimeOffset Since,
    string Stream,
    string Position,
    long Lag,
    string Mode,
    string Tier,
    long Bytes,
    long Drops,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<FollowedStream>? Streams)
{
    /// <summary>Most streams of one connection that have rows of their own.</summary>
    private const int MaxStreams = 100;

    /// <summary>What is told of what is the client's to choose, in one row of many.</summary>
    private const int MaxUserAgent = 200;
    private const int MaxStreamText = 2_000;

    private const string Live = "live";
    private const string CatchUp = "catch-up";

    /// <summary>What it takes as JSON at most, bytes; counted rather than written twice.</summary>
    [JsonIgnore]
    public int MaxBytes => 512 + Stream.Length + (6 * (UserAgent?.Length ?? 0)) + (Streams?.Sum(stream => 256 + stream.Stream.Length) ?? 0);

    /// <summary>Describes a connection of this replica.</summary>
    public static ConnectionRow Of(LiveConnection connection, string replica)
    {
        // Of several streams the one furthest behind speaks for the connection; each has its own row beside.
        var followed = connection.Followers.Select(Describe).ToArray();
        var worst = followed.MaxBy(stream => stream.Lag);
        return new ConnectionRow(
            connection.Id,
            replica,
            connection.Transport,
            connection.Remote,
            Cut(connection.UserAgent, MaxUserAgent),
            connection.Since,
            Cut(connection.Stream, MaxStreamText)!,
            worst?.Position ?? "0-0",
            worst?.Lag ?? 0,
            followed.All(stream => stream.Mode == Live) ? Live : CatchUp,
            worst?.Tier ?? NameOf(Delivery.Tier.Window),
            connection.Bytes,
            followed.Sum(stream => stream.Drops),
            followed.Length == 1 ? null : [.. followed.Take(MaxStreams)]);
    }

    private static FollowedStream Describe(StreamFollower follower) => new(
        follower.Stream,
        follower.Position.ToString(),
        follower.Lag,
        follower.IsLive ? Live : CatchUp,
        NameOf(follower.Tier),
        follower.Drops);

    private static string NameOf(Tier tier) => tier switch
    {
        Delivery.Tier.Window => "window",
        Delivery.Tier.Log => "log",
        _ => "archive",
    };

    private static string? Cut(string? text, int length) => text?.Length > length ? text[..length] : text;
}

/// <summary>One stream of a connection that follows several.</summary>
internal sealed record FollowedStream(string Stream, string Position, long Lag, string Mode, string Tier, long Drops);
