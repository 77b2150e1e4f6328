using System.Net;
using System.Net.Sockets;

namespace Aspire.Hosting.Orchestration;

/// <summary>
/// Free ports for processes that are told where to listen. They come from below the range that systems use for outgoing
/// connections, so that a port stays free while its process is stopped.
/// </summary>
internal static class LocalPorts
{
    private const int First = 20_000;
    private const int Last = 32_000;
    private const int MaxAttempts = 1_000;
    private static readonly Lock Gate = new();
    private static readonly HashSet<int> Taken = [];

    public static int Allocate()
    {
        lock (Gate)
        {
            for (var attempt = 0; attempt < MaxAttempts; attempt++)
            {
                var port = Random.Shared.Next(First, Last);
                if (!Taken.Contains(port) && IsFree(port))
                {
                    Taken.Add(port);
                    return port;
                }
            }
        }

        throw new DistributedApplicationException($"No free port was found between {First} and {Last}.");
    }

    public static void Release(int port)
    {
        lock (Gate)
        {
            Taken.Remove(port);
        }
    }

    public static bool IsFree(int port) =>
        CanBind(IPAddress.Loopback, port) && (!Socket.OSSupportsIPv6 || CanBind(IPAddress.IPv6Loopback, port));

    private static bool CanBind(IPAddress address, int port)
    {
        try
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address, port));
            socket.Listen(1);
            return true;
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.AddressNotAvailable)
        {
            // A machine with IPv6 switched off.
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
