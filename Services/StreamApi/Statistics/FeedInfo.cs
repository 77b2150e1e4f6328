namespace AspireStreaming.StreamApi.Statistics;

/// <summary>A stream that a replica follows for its subscribers.</summary>
/// <param name="Replica">The replica.</param>
/// <param name="Stream">The stream.</param>
/// <param name="Subscribers">Its readers there.</param>
/// <param name="Position">The last position known there.</param>
/// <param name="Buffered">Events in its window, one copy for all readers.</param>
/// <param name="BufferedBytes">Their size.</param>
/// <param name="Window">Most events that the window may hold.</param>
/// <param name="InFlight">Appends that came before the ones in front of them and wait for these.</param>
/// <param name="Retries">How often something had to be tried again because a store did not answer.</param>
/// <param name="LastActivity">When its last event was recorded; null before the first.</param>
/// <param name="IdleSeconds">How long ago that is; since the replica follows it when there was none.</param>
/// <param name="UptimeSeconds">How long it has been followed.</param>
/// <param name="Healthy">Whether it keeps up with the hot log, as far as it knows.</param>
internal sealed record FeedInfo(
    string Replica,
    string Stream,
    int Subscribers,
    string Position,
    int Buffered,
    long BufferedBytes,
    int Window,
    int InFlight,
    long Retries,
    DateTimeOffset? LastActivity,
    double IdleSeconds,
    double UptimeSeconds,
    bool Healthy);
