using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>What Linux knows of the other end of a TCP connection. Elsewhere nothing is known and nothing is set.</summary>
internal static class TcpPeers
{
    // linux/tcp.h
    private const int Tcp = 6;
    private const int TcpInfo = 11;
    private const int TcpUserTimeout = 18;
    private const int BytesAckedOffset = 120;
    private const int InfoLength = 128;

    /// <summary>
    /// Ends connections whose peer acknowledges nothing for so long. A peer that vanished without a word is otherwise missed only
    /// after the kernel has retransmitted for a quarter of an hour; heartbeats make sure that there is something to acknowledge.
    /// </summary>
    public static void EndDeadPeers(this ListenOptions listen, TimeSpan timeout) => listen.Use(next => connection =>
    {
        if (OperatingSystem.IsLinux() && connection.Features.Get<IConnectionSocketFeature>()?.Socket is { AddressFamily: not AddressFamily.Unix } socket)
        {
            Span<byte> milliseconds = stackalloc byte[sizeof(int)];
            BitConverter.TryWriteBytes(milliseconds, (int)timeout.TotalMilliseconds);
            try
            {
                socket.SetRawSocketOption(Tcp, TcpUserTimeout, milliseconds);
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // It is gone already, or the platform does not know the option.
            }
        }

        return next(connection);
    });

    /// <summary>Bytes that the peer has acknowledged since the connection began; 0 when that cannot be told.</summary>
    public static long AcknowledgedBytes(Socket? socket)
    {
        if (socket is null || !OperatingSystem.IsLinux())
        {
            return 0;
        }

        Span<byte> info = stackalloc byte[InfoLength];
        try
        {
            return socket.GetRawSocketOption(Tcp, TcpInfo, info) < InfoLength
                ? 0
                : BitConverter.ToInt64(info[BytesAckedOffset..]);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            return 0;
        }
    }
}
