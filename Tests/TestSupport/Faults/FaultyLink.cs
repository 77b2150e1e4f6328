using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace AspireStreaming.TestSupport.Faults;

/// <summary>One connection through a <see cref="TcpFaultProxy"/>.</summary>
internal sealed class FaultyLink(TcpFaultProxy proxy, Socket client) : IDisposable
{
    private const int ChunkBytes = 16 * 1024;

    // Together with the chunk's size a bound on what a slow or silent link holds; beyond it the sender feels the back-pressure.
    private const int MaxChunks = 32;

    private readonly CancellationTokenSource _reset = new();
    private readonly Valve _own = new();
    private int _ended;

    public bool IsStalled => !_own.IsOpen;

    public void Stall() => _own.Close();

    public void Reset()
    {
        if (Volatile.Read(ref _ended) == 0)
        {
            try
            {
                _reset.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It ended by itself meanwhile.
            }
        }
    }

    /// <summary>Relays until one side ends or the link is reset.</summary>
    public async Task RunAsync(int targetPort, TimeSpan dialTimeout, CancellationToken stop)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_reset.Token, stop);
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        client.NoDelay = true;
        var orderly = false;
        try
        {
            await proxy.ToServer.PassAsync(either.Token);
            using (var dial = CancellationTokenSource.CreateLinkedTokenSource(either.Token))
            {
                dial.CancelAfter(dialTimeout);
                await server.ConnectAsync(new IPEndPoint(IPAddress.Loopback, targetPort), dial.Token);
            }

            await Task.WhenAll(
                RelayAsync(client, server, proxy.ToServer, either),
                RelayAsync(server, client, proxy.ToClient, either));
            orderly = true;
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The server cannot be reached, one side reset, or the test did: the other side shall see a reset as well.
        }
        finally
        {
            Interlocked.Exchange(ref _ended, 1);
            if (!orderly)
            {
                client.LingerState = new LingerOption(enable: true, seconds: 0);
                server.LingerState = new LingerOption(enable: true, seconds: 0);
            }

            client.Dispose();
        }
    }

    public void Dispose()
    {
        client.Dispose();
        _reset.Dispose();
    }

    private async Task RelayAsync(Socket from, Socket to, Valve valve, CancellationTokenSource link)
    {
        var chunks = Channel.CreateBounded<(byte[] Bytes, int Count, long Due)>(new BoundedChannelOptions(MaxChunks) { SingleReader = true, SingleWriter = true });
        try
        {
            await Task.WhenAll(ReadAsync(from, chunks.Writer, link.Token), WriteAsync(chunks.Reader, to, valve, link.Token));
        }
        catch (Exception)
        {
            // What one way meets ends the other.
            await link.CancelAsync();
            throw;
        }
    }

    private async Task ReadAsync(Socket from, ChannelWriter<(byte[] Bytes, int Count, long Due)> chunks, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var bytes = ArrayPool<byte>.Shared.Rent(ChunkBytes);
                var count = await from.ReceiveAsync(bytes.AsMemory(0, ChunkBytes), cancellationToken);
                if (count == 0)
                {
                    ArrayPool<byte>.Shared.Return(bytes);
                    return;
                }

                var delay = proxy.Delay;
                var due = delay == TimeSpan.Zero
                    ? 0
                    : TimeProvider.System.GetTimestamp() + (long)(delay.TotalSeconds * TimeProvider.System.TimestampFrequency);
                await chunks.WriteAsync((bytes, count, due), cancellationToken);
            }
        }
        finally
        {
            chunks.TryComplete();
        }
    }

    private async Task WriteAsync(
        ChannelReader<(byte[] Bytes, int Count, long Due)> chunks, Socket to, Valve valve, CancellationToken cancellationToken)
    {
        await foreach (var (bytes, count, due) in chunks.ReadAllAsync(cancellationToken))
        {
            if (due != 0 && TimeProvider.System.GetElapsedTime(TimeProvider.System.GetTimestamp(), due) is { Ticks: > 0 } wait)
            {
                await Task.Delay(wait, TimeProvider.System, cancellationToken);
            }

            await PassAsync(valve, cancellationToken);
            for (var sent = 0; sent < count;)
            {
                sent += await to.SendAsync(bytes.AsMemory(sent, count - sent), cancellationToken);
            }

            if (proxy.BytesPerSecond is > 0 and var rate)
            {
                await Task.Delay(TimeSpan.FromSeconds((double)count / rate), TimeProvider.System, cancellationToken);
            }

            ArrayPool<byte>.Shared.Return(bytes);
        }

        // The close comes after the bytes and, like them, not through a silent link.
        await PassAsync(valve, cancellationToken);
        to.Shutdown(SocketShutdown.Send);
    }

    private async Task PassAsync(Valve valve, CancellationToken cancellationToken)
    {
        await _own.PassAsync(cancellationToken);
        await valve.PassAsync(cancellationToken);
    }
}
