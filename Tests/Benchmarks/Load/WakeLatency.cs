using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AspireStreaming.Benchmarks.Load;

/// <summary>What the shortest way through Redis costs: PUBLISH on one socket, the message on another, no client library.</summary>
internal static class WakeLatency
{
    private const string Channel = "wake-latency";

    /// <summary>The median time from PUBLISH to its message, milliseconds.</summary>
    /// <param name="port">The port of Redis on 127.0.0.1.</param>
    /// <param name="messages">How many.</param>
    /// <param name="rate">How many a second, evenly spread.</param>
    public static async Task<double> MeasureAsync(int port, int messages, int rate)
    {
        using var subscriber = await ConnectAsync(port).ConfigureAwait(false);
        using var publisher = await ConnectAsync(port).ConfigureAwait(false);
        var buffer = new byte[4096];
        await subscriber.SendAsync(Command("SUBSCRIBE", Channel)).ConfigureAwait(false);
        await subscriber.ReceiveAsync(buffer).ConfigureAwait(false);
        var publish = Command("PUBLISH", Channel, new string('x', 300));
        var times = new List<double>(messages);
        var answer = new byte[64];
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1d / rate));
        while (times.Count < messages && await timer.WaitForNextTickAsync().ConfigureAwait(false))
        {
            var started = Stopwatch.GetTimestamp();
            await publisher.SendAsync(publish).ConfigureAwait(false);
            await subscriber.ReceiveAsync(buffer).ConfigureAwait(false);
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            await publisher.ReceiveAsync(answer).ConfigureAwait(false);
        }

        times.Sort();
        return times[times.Count / 2];
    }

    private static async Task<Socket> ConnectAsync(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port).ConfigureAwait(false);
        return socket;
    }

    private static byte[] Command(params string[] parts) =>
        Encoding.ASCII.GetBytes($"*{parts.Length}\r\n{string.Concat(parts.Select(part => $"${part.Length}\r\n{part}\r\n"))}");
}
