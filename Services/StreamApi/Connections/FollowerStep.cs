namespace AspireStreaming.StreamApi.Connections;

/// <summary>What a follower can do next.</summary>
internal enum FollowerState
{
    /// <summary>There may be more to do.</summary>
    Busy,

    /// <summary>Nothing to do until the signal.</summary>
    Idle,

    /// <summary>Further behind than its policy allows.</summary>
    Lagging,

    /// <summary>The stream has ended.</summary>
    Ended,
}

/// <summary>What one step of a follower did.</summary>
/// <param name="State">What it can do next.</param>
/// <param name="Events">Events written.</param>
/// <param name="NewestRecordedAt">When the last of them was recorded, Unix milliseconds; 0 when there was none.</param>
internal readonly record struct FollowerStep(FollowerState State, int Events, long NewestRecordedAt);
