using System.Runtime.CompilerServices;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Sse;
using Google.Protobuf;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>
/// What waits to be written to a call. Messages go into the response's pipe as gRPC frames them, and are sent with one flush, as SSE is;
/// the call's own writer takes them one by one, and is used where they are to be compressed.
/// </summary>
internal sealed class FrameBatch
{
    /// <summary>
    /// Room asked of the response's pipe for a batch. The pieces of 4 KiB that it gives else go round a pool of all connections, so that
    /// each is cold when it is written to, and an event in twelve is cut in two; the larger ones come from the thread's own.
    /// </summary>
    private const int PieceBytes = 64 << 10;

    /// <summary>
    /// Writes to a call that was cancelled complete at once; a loop of them keeps its thread, and many such loops keep all threads, from
    /// noticing the cancellation.
    /// </summary>
    private const int MaxWritesWithoutYield = 64;

    private static readonly WriteOptions Large = new();
    private static readonly WriteOptions Small = new(WriteFlags.NoCompress);

    private readonly HttpContext _context;
    private readonly IAsyncStreamWriter<MessageFrame> _output;
    private readonly TimeProvider _time;
    private readonly List<Entry>? _compressed;
    private readonly MessageFrame _frame = new();
    private FrameWriter _writer;
    private StagedBytes? _staged;
    private BatchScale _scale = new();
    private long _pendingCompressed;
    private int _writes;

    /// <param name="context">The call's request, whose response has begun.</param>
    /// <param name="output">The call's own writer.</param>
    /// <param name="time">The clock.</param>
    public FrameBatch(HttpContext context, IAsyncStreamWriter<MessageFrame> output, TimeProvider time)
    {
        _context = context;
        _output = output;
        _time = time;
        _compressed = ResponseCompression.IsWanted(context) ? [] : null;
        _writer = ToPipe();
    }

    /// <summary>Bytes that wait.</summary>
    public long Pending => _compressed is null ? _writer.Pending : _pendingCompressed;

    /// <summary>How many times the usual bytes a batch should hold; HTTP/2 hands each flush from thread to thread and back.</summary>
    public int Scale => _scale.Value;

    /// <summary>Adds an event of a plain subscription.</summary>
    public void Add(EncodedEvent item)
    {
        var framed = GrpcEvents.Framed(item);
        if (_compressed is not null)
        {
            Compress(null, default, framed.AsMemory(MessageFrame.PrefixBytes));
            return;
        }

        _writer.Write(framed);
    }

    /// <summary>Adds an event of a session's subscription.</summary>
    /// <param name="head">What stands before it in its message, as <see cref="MessageFrame.SessionHead"/> makes it.</param>
    /// <param name="item">The event.</param>
    public void Add(byte[] head, EncodedEvent item)
    {
        if (_compressed is not null)
        {
            Compress(null, head.AsMemory(MessageFrame.PrefixBytes), GrpcEvents.Encode(item));
            return;
        }

        var rest = GrpcEvents.EncodedSpan(item);
        var length = head.Length + rest.Length;
        var room = _writer.Take(length);
        if (room.IsEmpty)
        {
            // The piece at hand ends within it.
            Span<byte> prefix = stackalloc byte[MessageFrame.PrefixBytes];
            MessageFrame.WritePrefix(prefix, length - MessageFrame.PrefixBytes);
            _writer.Write(prefix);
            _writer.Write(head.AsSpan(MessageFrame.PrefixBytes));
            _writer.Write(rest);
            return;
        }

        head.CopyTo(room);
        MessageFrame.WritePrefix(room, length - MessageFrame.PrefixBytes);
        rest.CopyTo(room[head.Length..]);
    }

    /// <summary>Adds a message.</summary>
    public void Add(IMessage message)
    {
        if (_compressed is not null)
        {
            Compress(message, default, default);
            return;
        }

        var bytes = message.ToByteArray();
        Span<byte> prefix = stackalloc byte[MessageFrame.PrefixBytes];
        MessageFrame.WritePrefix(prefix, bytes.Length);
        _writer.Write(prefix);
        _writer.Write(bytes);
    }

    /// <summary>Whether what is added may wait elsewhere while a flush is under way; not where it is to be compressed.</summary>
    public bool CanStage => _compressed is null;

    /// <summary>
    /// A flush is under way and not waited for: what is added from now on waits elsewhere, because the response's pipe is not to be
    /// written to meanwhile.
    /// </summary>
    public void Stage() => _writer = new FrameWriter(_staged ??= new StagedBytes());

    /// <summary>That flush is over: what waits elsewhere goes into the response's pipe.</summary>
    public void Unstage()
    {
        _writer.Complete();
        _writer = ToPipe();
        _staged!.MoveTo(ref _writer);
    }

    /// <summary>Sends what waits.</summary>
    /// <returns>Null when the client is gone; else whether sending had to wait.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool?> FlushAsync()
    {
        try
        {
            return _compressed is null ? await FlushPipeAsync() : await WriteAsync(_compressed);
        }
        catch (Exception exception) when (
            exception is IOException or OperationCanceledException or InvalidOperationException or RpcException or ObjectDisposedException)
        {
            return null;
        }
        finally
        {
            _compressed?.Clear();
            _pendingCompressed = 0;
        }
    }

    private FrameWriter ToPipe() => new(_context.Response.BodyWriter, PieceBytes);

    /// <summary>Adds what the call's own writer is to compress: a message, or the two parts of an encoded one.</summary>
    private void Compress(IMessage? message, ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> rest)
    {
        _compressed!.Add(new Entry(message, head, rest));
        _pendingCompressed += message?.CalculateSize() ?? (head.Length + rest.Length);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool?> FlushPipeAsync()
    {
        _writer.Complete();
        var began = _time.GetTimestamp();
        var flushing = _context.Response.BodyWriter.FlushAsync(CancellationToken.None);
        var waited = !flushing.IsCompleted;
        var result = await flushing;
        _scale.Sent(_time.GetElapsedTime(began));
        await YieldNowAndThenAsync(waited);
        return result.IsCompleted || result.IsCanceled ? null : waited;
    }

    private async ValueTask<bool> WriteAsync(List<Entry> entries)
    {
        var waited = false;
        foreach (var entry in entries)
        {
            if (entry.Message is { } message)
            {
                _frame.Set(message);
            }
            else
            {
                _frame.Set(entry.Head, entry.Rest);
            }

            _output.WriteOptions = _frame.Length < ResponseCompression.MinBytes ? Small : Large;
            var writing = _output.WriteAsync(_frame);
            waited |= !writing.IsCompleted;
            await writing;
            await YieldNowAndThenAsync(waited);
        }

        return waited;
    }

    private async ValueTask YieldNowAndThenAsync(bool waited)
    {
        _writes = waited ? 0 : _writes + 1;
        if (_writes >= MaxWritesWithoutYield)
        {
            _writes = 0;
            await Task.Yield();
        }
    }

    private readonly record struct Entry(IMessage? Message, ReadOnlyMemory<byte> Head, ReadOnlyMemory<byte> Rest);
}
