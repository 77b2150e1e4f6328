using System.Net;
using System.Net.Sockets;

namespace AspireStreaming.Benchmarks.Delivery;

/// <summary>
/// A connection whose client shares the cores with what it measures, so it does as little as it can: one receive loop, one buffer,
/// and a look at no more than the transport demands.
/// </summary>
internal abstract class LoadClient : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[64 << 10];
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _caughtUp;
    private int _over;

    /// <summary>What the server says of a subscription that has reached the end of its stream.</summary>
    protected static ReadOnlySpan<byte> CaughtUp => "stream.caught-up"u8;

    /// <summary>What the server says of a stream that has ended.</summary>
    protected static ReadOnlySpan<byte> End => "stream.end"u8;

    /// <summary>Completes when all subscriptions follow live.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Completes when all have had the end of their stream.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Bytes received.</summary>
    public long Bytes { get; private set; }

    /// <summary>Reads that brought something.</summary>
    public long Reads { get; private set; }

    /// <summary>Writes.</summary>
    public long Writes { get; private set; }

    /// <summary>Subscriptions of this connection.</summary>
    protected abstract int Subscriptions { get; }

    /// <summary>Connects.</summary>
    public Task ConnectAsync(int port) => _socket.ConnectAsync(IPAddress.Loopback, port);

    /// <summary>Reads until the end.</summary>
    public async Task RunAsync()
    {
        try
        {
            await SendAsync(Opening()).ConfigureAwait(false);
            for (var filled = 0; !_ended.Task.IsCompleted;)
            {
                var read = await _socket.ReceiveAsync(_buffer.AsMemory(filled)).ConfigureAwait(false);
                if (read == 0)
                {
                    throw new IOException("The server closed the connection before the end of the stream.");
                }

                Bytes += read;
                Reads++;
                filled += read;
                var used = Take(_buffer.AsSpan(0, filled));
                _buffer.AsSpan(used, filled - used).CopyTo(_buffer);
                filled -= used;
                await SendAsync(Answer()).ConfigureAwait(false);
            }
        }
        catch (Exception exception)
        {
            _ready.TrySetException(exception);
            _ended.TrySetException(exception);
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>What the client begins with.</summary>
    protected abstract ReadOnlyMemory<byte> Opening();

    /// <summary>Takes what was received.</summary>
    /// <returns>How much of it is done with; the rest comes again with more behind it.</returns>
    protected abstract int Take(ReadOnlySpan<byte> received);

    /// <summary>What is to be sent after that.</summary>
    protected abstract ReadOnlyMemory<byte> Answer();

    /// <summary>A subscription has reached the end of its stream.</summary>
    protected void OnCaughtUp()
    {
        if (++_caughtUp == Subscriptions)
        {
            _ready.SetResult();
        }
    }

    /// <summary>A subscription's stream has ended.</summary>
    protected void OnEnd()
    {
        if (++_over == Subscriptions)
        {
            _ended.SetResult();
        }
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Writes++;
            bytes = bytes[await _socket.SendAsync(bytes).ConfigureAwait(false)..];
        }
    }
}
