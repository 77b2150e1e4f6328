using System.Globalization;
using System.Text;
using AspireStreaming.StreamApi.Compression;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>
/// One SSE subscriber of several streams. Only the id lines are its own: they tell what it has had of every stream. Streams with
/// something to deliver take turns, a batch each.
/// </summary>
internal sealed class MultiStreamConnection : DeliveryConnection
{
    /// <summary>Bytes from which on a pass is over.</summary>
    private const int PassBytes = 64 << 10;

    private readonly HttpContext _context;
    private readonly VectorCursor _cursor;
    private readonly bool _named;
    private readonly StreamFollower[] _followers;
    private readonly Place[] _places;
    private readonly ReadyQueue<Place> _ready;

    /// <summary>What the client has been told of each stream; a cursor may be further if it moved over events left out.</summary>
    private readonly StreamPosition[] _told;

    private readonly Subscribed _subscribed;
    private readonly SseEndpoint _endpoint;
    private CompressedBody? _compressed;
    private FrameWriter _writer;
    private bool _startsKnown;
    private bool _isPositionDue;
    private int _running;

    public MultiStreamConnection(
        HttpContext context, Subscribed subscribed, MultiStreamRequest request, SseEndpoint endpoint, SubscriptionServices services)
        : base("sse", string.Join(',', subscribed.Followers.Select(follower => follower.Stream)), context, services)
    {
        var followers = subscribed.Followers;
        _context = context;
        _subscribed = subscribed;
        _endpoint = endpoint;
        _cursor = request.Cursor;
        _named = request.Named;
        _followers = followers;
        _told = new StreamPosition[followers.Length];
        _ready = new ReadyQueue<Place>(Signal);
        _places = [.. followers.Select((follower, index) => new Place(this, follower, index))];
        _running = followers.Length;
    }

    public override IReadOnlyList<StreamFollower> Followers => _followers;

    protected override long Pending => _writer.Pending;

    public override void Abort() => _context.Abort();

    protected override async ValueTask<bool> PrepareAsync()
    {
        (var isOpen, _compressed) = await _endpoint.OpenAsync(_context, _subscribed);
        _writer = new FrameWriter(_context.Response.BodyWriter);
        return isOpen;
    }

    protected override void Close() => SseResponse.Close(_compressed, _subscribed);

    protected override void Open()
    {
        _startsKnown = true;
        foreach (var place in _places)
        {
            if (place.Open(_ready) is { } position)
            {
                _told[place.Index] = position;
            }
            else
            {
                _startsKnown = false;
            }
        }

        Write(string.Create(CultureInfo.InvariantCulture, $"retry: {NextRetryMilliseconds()}\n: {_places.Length} streams\n"));
        if (_startsKnown)
        {
            WriteId();
        }

        _writer.Write("\n"u8);
    }

    protected override FollowerState Step()
    {
        var before = Pending;
        var events = 0;
        var newest = 0L;
        if (_startsKnown || TryLearnStarts())
        {
            while (Pending < PassBytes && _ready.TryTake(out var place))
            {
                var step = place.Step();
                if (step.State == FollowerState.Lagging)
                {
                    return FollowerState.Lagging;
                }

                events += step.Events;
                newest = place.Follower.IsCaughtUp ? Math.Max(newest, step.NewestRecordedAt) : newest;
            }
        }

        if (events == 0 && TakeDue())
        {
            TellPositions();
            if (Pending == before)
            {
                _writer.Write(": heartbeat\n\n"u8);
            }
        }

        WriteDuePosition();
        if (Pending > before)
        {
            Count(new FollowerStep(FollowerState.Busy, events, newest), true, Pending - before);
        }

        return _running == 0 ? FollowerState.Ended : _startsKnown && !_ready.IsEmpty ? FollowerState.Busy : FollowerState.Idle;
    }

    protected override void TellPositions()
    {
        foreach (var place in _places)
        {
            place.Follower.TryTellPosition(place);
        }

        WriteDuePosition();
    }

    protected override void WriteDrain(int retryMilliseconds, string reason)
    {
        // EventSource knows the retry line; other clients read the control events, which always name their stream.
        Write(string.Create(CultureInfo.InvariantCulture, $"retry: {retryMilliseconds}\n"));
        foreach (var place in _places)
        {
            if (!place.HasEnded)
            {
                _writer.Write(ControlEvent.Drain(place.Follower.Stream, retryMilliseconds, reason).ToSse());
            }
        }
    }

    protected override ValueTask<bool> FlushPendingAsync()
    {
        _writer.Complete();
        return SseResponse.FlushAsync(_context.Response.BodyWriter);
    }

    /// <summary>An id tells of every stream, so nothing is delivered before all starts are known.</summary>
    private bool TryLearnStarts()
    {
        foreach (var place in _places)
        {
            if (!place.Follower.TryBegin(place))
            {
                return false;
            }
        }

        _startsKnown = true;
        _isPositionDue = true;
        WriteDuePosition();
        return true;
    }

    private void WriteDuePosition()
    {
        if (_isPositionDue && _startsKnown)
        {
            WriteId();
            _writer.Write("\n"u8);
        }
    }

    private void WriteId()
    {
        Span<byte> text = stackalloc byte[VectorCursor.MaxTextLength];
        var length = _cursor.Format(_told, text);
        _writer.Write("id: "u8);
        _writer.Write(text[..length]);
        _writer.Write("\n"u8);
        _isPositionDue = false;
    }

    private void Write(string text) => _writer.Write(Encoding.ASCII.GetBytes(text));

    /// <summary>One stream's place in the connection.</summary>
    private sealed class Place(MultiStreamConnection connection, StreamFollower follower, int index) : IFollowerSink
    {
        private ReaderSignal? _signal;

        public StreamFollower Follower => follower;

        public int Index => index;

        public bool HasEnded { get; private set; }

        public StreamPosition? Open(ReadyQueue<Place> ready)
        {
            _signal = ready.SignalFor(this);
            _signal.Set();
            return follower.Open(_signal);
        }

        public FollowerStep Step()
        {
            if (HasEnded)
            {
                return new FollowerStep(FollowerState.Idle, 0, 0);
            }

            var step = follower.Step(this);
            if (step.State == FollowerState.Busy)
            {
                _signal!.Set();
            }
            else if (step.State == FollowerState.Ended)
            {
                HasEnded = true;
                connection._running--;
                follower.Dispose();
            }

            return step;
        }

        public void WriteEvent(StreamFollower source, EncodedEvent item)
        {
            connection._told[index] = item.Position;
            connection.WriteId();
            connection._writer.Write(connection._named ? item.NamedBody.Span : item.UnnamedBody.Span);
        }

        public void WriteControl(StreamFollower source, ControlEvent control) => connection._writer.Write(control.ToSse());

        public void WritePosition(StreamFollower source, StreamPosition position)
        {
            connection._told[index] = position;
            connection._isPositionDue = true;
        }
    }
}
