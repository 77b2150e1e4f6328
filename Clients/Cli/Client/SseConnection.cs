namespace AspireStreaming.Cli.Client;

/// <summary>An open response and the reader of its events.</summary>
internal sealed class SseConnection(HttpResponseMessage response, SseReader reader) : IAsyncDisposable
{
    public SseReader Reader { get; } = reader;

    public async ValueTask DisposeAsync()
    {
        await Reader.DisposeAsync();
        response.Dispose();
    }
}
