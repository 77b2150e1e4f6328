using AspireStreaming.StreamApi.Delivery;
using Google.Protobuf;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>What waits to be written to a call. A batch sits in one HTTP/2 flush; the last of it says so.</summary>
/// <param name="output">The call.</param>
/// <param name="isCompressed">Whether the call is compressed: then messages that gain nothing from it are exempt.</param>
internal sealed class FrameBatch(IAsyncStreamWriter<MessageFrame> output, bool isCompressed)
{
    /// <summary>
    /// Writes to a call that was cancelled complete at once; a loop of them keeps its thread, and many such loops keep all threads, from
    /// noticing the cancellation.
    /// </summary>
    private const int MaxWritesWithoutYield = 64;

    private static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);
    private static readonly WriteOptions Last = new();
    private static readonly WriteOptions SmallBuffered = new(WriteFlags.BufferHint | WriteFlags.NoCompress);
    private static readonly WriteOptions SmallLast = new(WriteFlags.NoCompress);

    private readonly List<Entry> _entries = [];
    private readonly MessageFrame _frame = new();
    private int _writes;

    /// <summary>Bytes that wait.</summary>
    public long Pending { get; private set; }

    /// <summary>Adds an event.</summary>
    /// <param name="head">What stands before it in its message.</param>
    /// <param name="item">The event.</param>
    public void Add(byte[] head, EncodedEvent item)
    {
        var encoded = GrpcEvents.Encode(item);
        _entries.Add(new Entry(null, head, encoded));
        Pending += head.Length + encoded.Length;
    }

    /// <summary>Adds a message.</summary>
    public void Add(IMessage message)
    {
        _entries.Add(new Entry(message, [], []));
        Pending += message.CalculateSize();
    }

    /// <summary>Writes what waits.</summary>
    /// <returns>Null when the client is gone; else whether writing had to wait.</returns>
    public async ValueTask<bool?> FlushAsync()
    {
        try
        {
            return await WriteAsync();
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or InvalidOperationException or RpcException)
        {
            return null;
        }
        finally
        {
            _entries.Clear();
            Pending = 0;
        }
    }

    private async ValueTask<bool> WriteAsync()
    {
        var waited = false;
        for (var index = 0; index < _entries.Count; index++)
        {
            var entry = _entries[index];
            if (entry.Message is { } message)
            {
                _frame.Set(message);
            }
            else
            {
                _frame.Set(entry.Head, entry.Event);
            }

            output.WriteOptions = OptionsFor(index == _entries.Count - 1);
            var writing = output.WriteAsync(_frame);
            if (!writing.IsCompleted)
            {
                waited = true;
                _writes = 0;
            }

            await writing;
            if (++_writes >= MaxWritesWithoutYield)
            {
                _writes = 0;
                await Task.Yield();
            }
        }

        return waited;
    }

    private WriteOptions OptionsFor(bool isLast) => isCompressed && _frame.Length < ResponseCompression.MinBytes
        ? (isLast ? SmallLast : SmallBuffered)
        : (isLast ? Last : Buffered);

    private readonly record struct Entry(IMessage? Message, byte[] Head, byte[] Event);
}
