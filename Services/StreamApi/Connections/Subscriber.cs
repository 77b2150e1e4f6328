namespace AspireStreaming.StreamApi.Connections;

/// <summary>Opens connections that follow streams: finds them a place and followers.</summary>
internal sealed class Subscriber(FollowerFactory followers, Admission admission, TimeProvider time)
{
    /// <summary>How long the answer's head waits for what the streams' ends decide about it.</summary>
    private static readonly TimeSpan HeadPatience = TimeSpan.FromSeconds(1);

    /// <summary>Lets a client in.</summary>
    /// <param name="context">The client's request.</param>
    /// <param name="requests">What the client wants.</param>
    /// <param name="requestAborted">Cancelled when the client leaves.</param>
    /// <param name="subscribed">Its place and followers, to be disposed of when the connection is over.</param>
    /// <returns>Why not; null if it is let in.</returns>
    public Refusal? TryEnter(
        HttpContext context, IReadOnlyList<SubscriptionRequest> requests, CancellationToken requestAborted, out Subscribed? subscribed)
    {
        subscribed = null;
        if (admission.TryConnect(context, out var place) is { } refusal)
        {
            return refusal;
        }

        var entered = new Subscribed(place!, new StreamFollower[requests.Count]);
        for (var index = 0; index < requests.Count; index++)
        {
            if (followers.TryCreate(requests[index], requestAborted) is not { } follower)
            {
                entered.Dispose();
                return Refusal.TooManyStreams;
            }

            entered.Followers[index] = follower;
        }

        subscribed = entered;
        return null;
    }

    /// <summary>Waits, not for long, until it is known where the followers start: that may decide about the answer's head.</summary>
    public Task StartsKnownAsync(Subscribed subscribed)
    {
        var resolving = Array.FindAll(subscribed.Followers, follower => !follower.Start.IsCompleted);
        if (resolving.Length == 0)
        {
            return Task.CompletedTask;
        }

        // Not for the client's leaving: that ends resolving, and a connection has one thing less to keep.
        var all = resolving is [var only] ? only.Start : Task.WhenAll(resolving.Select(follower => follower.Start));
        return all.WaitAsync(HeadPatience, time);
    }
}

/// <summary>A client's place and followers.</summary>
internal sealed class Subscribed(Admission.Place place, StreamFollower[] followers) : IDisposable
{
    /// <summary>What it follows.</summary>
    public StreamFollower[] Followers => followers;

    public void Dispose()
    {
        foreach (var follower in followers)
        {
            follower?.Dispose();
        }

        place.Dispose();
    }
}
