namespace AspireStreaming.Client.Following;

/// <summary>An open response and the reader of its events.</summary>
internal sealed class SseConnection(HttpResponseMessage response, SseReader reader, FollowRequest request) : IEventConnection
{
    private const string ControlPrefix = "stream.";

    private readonly string? _stream = request.IsMultiple ? null : request.Stream;

    public string? ResumeToken { get; private set; }

    public TimeSpan? Retry => reader.Retry;

    public async ValueTask<StreamItem?> ReadAsync(CancellationToken cancellationToken)
    {
        if (!await reader.ReadAsync(cancellationToken))
        {
            return null;
        }

        if (reader.HasId)
        {
            ResumeToken = reader.LastEventId;
        }

        var item = Item();
        if (item is not StreamEvent || _stream is null)
        {
            item.ResumeToken = ResumeToken;
        }

        return item;
    }

    public async ValueTask DisposeAsync()
    {
        await reader.DisposeAsync();
        response.Dispose();
    }

    private StreamItem Item()
    {
        if (!reader.HasData)
        {
            StreamPosition? position = _stream is not null && StreamPosition.TryParse(reader.LastEventIdUtf8, out var parsed) ? parsed : null;
            return new CursorMoved(_stream ?? "", position);
        }

        // The prefix is reserved: no publisher can send an event of such a type. The reader's buffer is its own; an item outlives it.
        var data = reader.Data.ToArray();
        return reader.EventType.StartsWith(ControlPrefix, StringComparison.Ordinal)
            ? StreamNotice.Read(reader.EventType, data, _stream ?? "")
            : StreamEvent.Read(data, _stream);
    }
}
