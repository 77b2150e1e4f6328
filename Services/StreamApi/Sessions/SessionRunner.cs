using AspireStreaming.StreamApi.Connections;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>Finds sessions a place and runs them.</summary>
internal sealed class SessionRunner(Admission admission)
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
        await session.RunAsync();
        return null;
    }
}
