using System.Diagnostics;
using System.Net;
using System.Text;

namespace AspireStreaming.Benchmarks.Load;

/// <summary>What a POST costs to which a server has nothing to do: its body is empty, and the answer's status does not matter.</summary>
internal static class PostLatency
{
    /// <summary>The median time from request to answer, milliseconds.</summary>
    /// <param name="port">The server's port on 127.0.0.1.</param>
    /// <param name="path">A path that it does not know.</param>
    /// <param name="requests">How many.</param>
    /// <param name="rate">How many a second, evenly spread.</param>
    public static async Task<double> MeasureAsync(int port, string path, int requests, int rate)
    {
        var request = Encoding.ASCII.GetBytes($"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        var times = new List<double>(requests);
        using var line = new HttpLine();
        await line.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port)).ConfigureAwait(false);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1d / rate));
        while (times.Count < requests && await timer.WaitForNextTickAsync().ConfigureAwait(false))
        {
            var started = Stopwatch.GetTimestamp();
            await line.SendAsync(request).ConfigureAwait(false);
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        times.Sort();
        return times[times.Count / 2];
    }
}
