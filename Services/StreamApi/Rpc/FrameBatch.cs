using System.Buffers.Binary;
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
    /// <summary>What gRPC puts before a message: whether it is compressed, and its length.</summary>
    private const int PrefixBytes = 5;

    /// <summary>
    /// Writes to a call that was cancelled complete at once; a loop of them keeps its thread, and many such loops keep all threads, from
    /// noticing the cancellation.
    /// </summary>
    private const int MaxWritesWithoutYield = 64;

    private static readonly WriteOptions Large = new();
    private static readonly WriteOptions Small = new(WriteFlags.NoCompress);

    private readonly HttpContext _context;
    private readonly IAsyncStreamWriter<MessageFrame> _output;
    private readonly List<Entry>? _compressed;
    private readonly MessageFrame _frame = new();
    private FrameWriter _writer;
    private long _pendingCompressed;
    private int _writes;

    /// <param name="context">The call's request, whose response has begun.</param>
    /// <param name="output">The call's own writer.</param>
    public FrameBatch(HttpContext context, IAsyncStreamWriter<MessageFrame> output)
    {
        _context = context;
        _output = output;
        _compressed = ResponseCompression.IsWanted(context) ? [] : null;
        _writer = new FrameWriter(context.Response.BodyWriter);
    }

    /// <summary>Bytes that wait.</summary>
    public long Pending => _compressed is null ? _writer.Pending : _pendingCompressed;

    /// <summary>Adds an event.</summary>
    /// <param name="head">What stands before it in its message.</param>
    /// <param name="item">The event.</param>
    public void Add(byte[] head, EncodedEvent item)
    {
        var encoded = GrpcEvents.Encode(item);
        if (_compressed is not null)
        {
            _compressed.Add(new Entry(null, head, encoded));
            _pendingCompressed += head.Length + encoded.Length;
            return;
        }

        WritePrefix(head.Length + encoded.Length);
        _writer.Write(head);
        _writer.Write(encoded);
    }

    /// <summary>Adds a message.</summary>
    public void Add(IMessage message)
    {
        if (_compressed is not null)
        {
            _compressed.Add(new Entry(message, [], []));
            _pendingCompressed += message.CalculateSize();
            return;
        }

        var bytes = message.ToByteArray();
        WritePrefix(bytes.Length);
        _writer.Write(bytes);
    }

    /// <summary>Sends what waits.</summary>
    /// <returns>Null when the client is gone; else whether sending had to wait.</returns>
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

    private void WritePrefix(int length)
    {
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        prefix[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(prefix[1..], length);
        _writer.Write(prefix);
    }

    private async ValueTask<bool?> FlushPipeAsync()
    {
        _writer.Complete();
        var flushing = _context.Response.BodyWriter.FlushAsync(CancellationToken.None);
        var waited = !flushing.IsCompleted;
        var result = await flushing;
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
                _frame.Set(entry.Head, entry.Event);
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

    private readonly record struct Entry(IMessage? Message, byte[] Head, byte[] Event);
}
