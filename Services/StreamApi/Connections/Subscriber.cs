namespace AspireStreaming.StreamApi.Connections;

/// <summary>Opens connections that follow streams: finds them a place and followers, runs them and cleans up.</summary>
internal sealed class Subscriber(
    FollowerFactory followers, Admission admission, ConnectionRegistry registry, TimeProvider time, ILogger<Subscriber> logger)
{
    /// <summary>How long the answer's head waits for what the streams' ends decide about it.</summary>
    private static readonly TimeSpan HeadPatience = TimeSpan.FromSeconds(1);

    /// <summary>Runs a connection that follows one stream.</summary>
    /// <inheritdoc cref="RunAsync(HttpContext, IReadOnlyList{SubscriptionRequest}, Func{StreamFollower[], DeliveryConnection?}, CancellationToken)"/>
    public Task<Refusal?> RunAsync(
        HttpContext context, SubscriptionRequest request, Func<StreamFollower, DeliveryConnection?> create, CancellationToken requestAborted) =>
        RunAsync(context, [request], followers => create(followers[0]), requestAborted);

    /// <summary>Runs a connection that follows several streams.</summary>
    /// <param name="context">The client's request.</param>
    /// <param name="requests">What the client wants.</param>
    /// <param name="create">Makes the connection; null when there is nothing to subscribe to.</param>
    /// <param name="requestAborted">Cancelled when the client leaves.</param>
    /// <returns>Why there was none; null when there was.</returns>
    public async Task<Refusal?> RunAsync(
        HttpContext context,
        IReadOnlyList<SubscriptionRequest> requests,
        Func<StreamFollower[], DeliveryConnection?> create,
        CancellationToken requestAborted)
    {
        if (admission.TryConnect(context, out var place) is { } refusal)
        {
            return refusal;
        }

        using var leaving = place;
        var created = new List<StreamFollower>(requests.Count);
        try
        {
            foreach (var request in requests)
            {
                if (followers.TryCreate(request, requestAborted) is not { } follower)
                {
                    return Refusal.TooManyStreams;
                }

                created.Add(follower);
            }

            await RunAsync([.. created], create, requestAborted);
            return null;
        }
        finally
        {
            foreach (var follower in created)
            {
                follower.Dispose();
            }
        }
    }

    private async Task RunAsync(
        StreamFollower[] created, Func<StreamFollower[], DeliveryConnection?> create, CancellationToken requestAborted)
    {
        var resolving = Array.FindAll(created, follower => !follower.Start.IsCompleted);
        if (resolving.Length > 0)
        {
            var all = resolving is [var only] ? only.Start : Task.WhenAll(resolving.Select(follower => follower.Start));
            await all.WaitAsync(HeadPatience, time, requestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        var connection = create(created);
        if (connection is null)
        {
            return;
        }

        registry.Add(connection);
        StreamApiLog.ConnectionOpened(logger, connection.Id, connection.Stream, created[0].Request.From.Position);
        var reason = "aborted";
        try
        {
            reason = await connection.RunAsync();
        }
        catch (OperationCanceledException)
        {
            // The client left, or the service stops, in the middle of a read.
        }
        catch (Exception exception)
        {
            // The head is sent: all that is left is not to end it as if all were well.
            StreamApiLog.ConnectionFailed(logger, connection.Id, connection.Stream, exception);
            connection.Abort();
        }
        finally
        {
            registry.Remove(connection);
            StreamApiLog.ConnectionClosed(logger, connection.Id, connection.Stream, created[0].Position, reason);
        }
    }
}
