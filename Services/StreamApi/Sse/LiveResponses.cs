using System.Collections.Concurrent;
using AspireStreaming.StreamApi.Connections;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>
/// Clients that were let in and are yet to be served. They are served outside of all that judged their requests (routing, access,
/// faults): what those keep of a request until it is over would be kept as long as the connection lives. Thread-safe.
/// </summary>
internal sealed class LiveResponses
{
    private readonly ConcurrentDictionary<HttpContext, DeliveryConnection> _admitted = new();

    /// <summary>Serves a client when everything inside of <see cref="ServeAsync"/> is done with its request.</summary>
    public void Admit(HttpContext context, DeliveryConnection connection) => _admitted[context] = connection;

    /// <summary>The outermost middleware.</summary>
    public Task ServeAsync(HttpContext context, RequestDelegate next)
    {
        Task judging;
        try
        {
            judging = next(context);
        }
        catch
        {
            Discard(context);
            throw;
        }

        return judging.IsCompletedSuccessfully ? ServeAdmittedAsync(context) : ServeAfterAsync(judging, context);
    }

    private async Task ServeAfterAsync(Task judging, HttpContext context)
    {
        try
        {
            await judging;
        }
        catch
        {
            Discard(context);
            throw;
        }

        await ServeAdmittedAsync(context);
    }

    private Task ServeAdmittedAsync(HttpContext context)
    {
        if (!_admitted.TryRemove(context, out var connection))
        {
            return Task.CompletedTask;
        }

        if (context.Response.HasStarted)
        {
            // Something failed after the client was let in, and has been answered.
            connection.Discard();
            return Task.CompletedTask;
        }

        return connection.RunAsync();
    }

    private void Discard(HttpContext context)
    {
        if (_admitted.TryRemove(context, out var connection))
        {
            connection.Discard();
        }
    }
}
