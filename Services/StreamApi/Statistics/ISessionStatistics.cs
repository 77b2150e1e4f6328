namespace AspireStreaming.StreamApi.Statistics;

/// <summary>
/// Tells <c>/stats</c> of the sessions of this replica. An interface because sessions depend on what counts them, not the other way
/// round; without a registration there are none.
/// </summary>
internal interface ISessionStatistics
{
    /// <summary>The sessions of this replica, the oldest first.</summary>
    /// <param name="replica">The replica's name, for <see cref="SessionInfo.Replica"/>.</param>
    /// <param name="maxSessions">Most sessions.</param>
    /// <param name="maxSubscriptions">Most subscriptions in all of them together.</param>
    /// <param name="truncated">Whether there are more.</param>
    IReadOnlyList<SessionInfo> Describe(string replica, int maxSessions, int maxSubscriptions, out bool truncated);
}
