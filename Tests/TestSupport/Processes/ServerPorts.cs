using System.Net;
using System.Net.Sockets;

namespace AspireStreaming.TestSupport.Processes;

/// <summary>Ports for servers of tests.</summary>
public static class ServerPorts
{
    // Below the range from which the kernel gives outgoing connections their port (32768 and up by default): while a test
    // has its server down, a client that keeps dialling a port of that range may be connected to itself and occupy it.
    private const int First = 15_000;
    private const int End = 32_000;

    /// <summary>A TCP port of the loopback interface that nothing listens on now; whoever uses it must cope with losing the race.</summary>
    public static int PickFree()
    {
        for (var attempt = 0; attempt < 100; attempt++)
        {
            var port = Random.Shared.Next(First, End);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken; try another.
            }
        }

        throw new InvalidOperationException($"No free port between {First} and {End}.");
    }
}
