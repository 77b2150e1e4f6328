using AspireStreaming.StreamApi.Connections;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>Finds sessions a place, runs them and cleans up.</summary>
internal sealed class SessionRunner(Admission admission, ConnectionRegistry registry, ILogger<SessionRunner> logger)
{
    /// <summary>Runs a session.</summary>
    /// <param name="context">The client's request.</param>
    /// <param name="open">Makes it, once it has a place.</param>
    /// <returns>Why there was none; null when there was.</returns>
    public async Task<Refusal?> RunAsync(HttpContext context, Func<Task<Session>> open)
    {
        if (admission.TryConnect(context, out var place) is { } refusal)
        {
            return refusal;
        }

        using var leaving = place;
        await using var session = await open();
        await RunAsync(session);
        return null;
    }

    private async Task RunAsync(Session session)
    {
        registry.Add(session);
        StreamApiLog.ConnectionOpened(logger, session.Id, session.Transport, StreamPosition.Zero);
        var reason = "aborted";
        try
        {
            reason = await session.RunAsync();
            await session.CloseAsync(reason);
        }
        catch (OperationCanceledException)
        {
            // The client left, or the service stops, in the middle of a read.
        }
        catch (Exception exception)
        {
            // All that is left is not to end it as if all were well.
            StreamApiLog.ConnectionFailed(logger, session.Id, session.Transport, exception);
            session.Abort();
        }
        finally
        {
            registry.Remove(session);
            StreamApiLog.ConnectionClosed(logger, session.Id, session.Transport, StreamPosition.Zero, reason);
        }
    }
}
