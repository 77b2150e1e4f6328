using System.Globalization;
using System.Text;
using AspireStreaming.StreamApi.Compression;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>One SSE subscriber: writes prepared frames to the response's pipe.</summary>
internal sealed class SseConnection : Subscription
{
    private readonly HttpContext _context;
    private readonly Subscribed _subscribed;
    private readonly SseEndpoint _endpoint;
    private readonly bool _named;
    private CompressedBody? _compressed;
    private FrameWriter _writer;

    public SseConnection(HttpContext context, Subscribed subscribed, bool named, SseEndpoint endpoint, SubscriptionServices services)
        : base("sse", context, subscribed.Followers, services)
    {
        _context = context;
        _subscribed = subscribed;
        _endpoint = endpoint;
        _named = named;
    }

    protected override long Pending => _writer.Pending;

    public override void Abort() => _context.Abort();

    protected override async ValueTask<bool> PrepareAsync()
    {
        (var isOpen, _compressed) = await _endpoint.OpenAsync(_context, _subscribed);
        _writer = new FrameWriter(_context.Response.BodyWriter);
        return isOpen;
    }

    protected override void Close() => SseResponse.Close(_compressed, _subscribed);

    protected override void WriteOpening(StreamPosition? position)
    {
        _writer.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"retry: {NextRetryMilliseconds()}\n: stream {Stream}\n")));
        if (position is { } known)
        {
            Write(known);
        }
        else
        {
            _writer.Write("\n"u8);
        }
    }

    public override void WriteEvent(StreamFollower follower, EncodedEvent item)
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

    public override void WriteControl(StreamFollower follower, ControlEvent control) => _writer.Write(control.ToSse());

    public override void WritePosition(StreamFollower follower, StreamPosition position) => Write(position);

    protected override void WriteHeartbeat() => _writer.Write(": heartbeat\n\n"u8);

    protected override void WriteDrain(int retryMilliseconds, string reason)
    {
        // EventSource knows the retry line; other clients read the control event.
        _writer.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"retry: {retryMilliseconds}\n")));
        base.WriteDrain(retryMilliseconds, reason);
    }

    protected override ValueTask<bool> FlushPendingAsync()
    {
        _writer.Complete();
        return SseResponse.FlushAsync(_context.Response.BodyWriter);
    }

    private void Write(StreamPosition position)
    {
        Span<byte> text = stackalloc byte[StreamPosition.MaxTextLength];
        position.TryFormat(text, out var length, default, null);
        _writer.Write("id: "u8);
        _writer.Write(text[..length]);
        _writer.Write("\n\n"u8);
    }
}
