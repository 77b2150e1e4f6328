using System.Globalization;
using System.Text;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>One SSE subscriber: writes prepared frames to the response's pipe.</summary>
internal sealed class SseConnection : Subscription
{
    private readonly HttpContext _context;
    private readonly bool _named;
    private FrameWriter _writer;

    public SseConnection(HttpContext context, SseRequest request, StreamFeed feed, Task<ResolvedStart> resolving, SubscriptionServices services)
        : base("sse", context, request.Subscription, feed, resolving, services)
    {
        _context = context;
        _named = request.Named;
        _writer = new FrameWriter(context.Response.BodyWriter);
    }

    protected override long Pending => _writer.Pending;

    public override void Abort() => _context.Abort();

    protected override void WriteOpening(StreamPosition? position)
    {
        _writer.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"retry: {NextRetryMilliseconds()}\n: stream {Stream}\n")));
        if (position is { } known)
        {
            WritePosition(known);
        }
        else
        {
            _writer.Write("\n"u8);
        }
    }

    protected override void WriteEvent(EncodedEvent item)
    {
        if (_named)
        {
            _writer.Write(item.NamedFrame.Span);
        }
        else
        {
            _writer.Write(item.IdLine.Span);
            _writer.Write(item.UnnamedBody.Span);
        }
    }

    protected override void WriteControl(ControlEvent control) => _writer.Write(control.ToSse());

    protected override void WritePosition(StreamPosition position)
    {
        Span<byte> text = stackalloc byte[StreamPosition.MaxTextLength];
        position.TryFormat(text, out var length, default, null);
        _writer.Write("id: "u8);
        _writer.Write(text[..length]);
        _writer.Write("\n\n"u8);
    }

    protected override void WriteHeartbeat() => _writer.Write(": heartbeat\n\n"u8);

    protected override void WriteDrain(int retryMilliseconds, string reason)
    {
        // EventSource knows the retry line; other clients read the control event.
        _writer.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"retry: {retryMilliseconds}\n")));
        WriteControl(ControlEvent.Drain(Stream, retryMilliseconds, reason));
    }

    protected override async ValueTask<bool> FlushPendingAsync()
    {
        _writer.Complete();
        try
        {
            var result = await _context.Response.BodyWriter.FlushAsync(CancellationToken.None);
            return !result.IsCompleted && !result.IsCanceled;
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
    }
}
