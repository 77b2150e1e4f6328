using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Aspire.Hosting.Local;

/// <summary>
/// One client's connection and the one to its target. An end of one side's data goes on as an end of data, a reset as a reset;
/// a side that doesn't read stops the other from being read. An idle connection holds no buffer.
/// </summary>
internal sealed class ProxiedConnection(Socket client) : IDisposable
{
    private const int BufferBytes = 64 * 1024;

    private static readonly TimeSpan ConnectDeadline = TimeSpan.FromSeconds(2);

    private Socket? _target;
    private volatile bool _aborted;

    /// <summary>Null if the target refuses or does not answer.</summary>
    public static async Task<Socket?> ConnectAsync(IPEndPoint endPoint, CancellationToken cancellationToken)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(ConnectDeadline);
        try
        {
            await socket.ConnectAsync(endPoint, deadline.Token);
            return socket;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            socket.Dispose();
            return null;
        }
    }

    /// <summary>Moves data both ways until both have ended or one side was reset.</summary>
    public async Task RunAsync(Socket target)
    {
        _target = target;
        if (_aborted)
        {
            Abort();
            return;
        }

        try
        {
            client.NoDelay = true;
            target.NoDelay = true;
        }
        catch (SocketException)
        {
            // Reset already; the pumps will see it too.
        }

        await Task.WhenAll(PumpAsync(client, target), PumpAsync(target, client));
    }

    /// <summary>Resets both sides.</summary>
    public void Abort()
    {
        _aborted = true;
        Reset(client);
        if (_target is { } target)
        {
            Reset(target);
        }
    }

    public void Dispose()
    {
        client.Dispose();
        _target?.Dispose();
    }

    private static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Closed by the other direction.
        }

        socket.Dispose();
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        byte[]? buffer = null;
        try
        {
            while (true)
            {
                if (buffer is null)
                {
                    // Waits for data without holding a buffer.
                    await from.ReceiveAsync(Memory<byte>.Empty);
                    buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
                }

                var count = await from.ReceiveAsync(buffer);
                if (count == 0)
                {
                    to.Shutdown(SocketShutdown.Send);
                    return;
                }

                for (var sent = 0; sent < count;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, count - sent));
                }

                if (count < buffer.Length && from.Available == 0)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = null;
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            Abort();
        }
        finally
        {
            if (buffer is not null)
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }
}
