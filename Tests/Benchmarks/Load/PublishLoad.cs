using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;

namespace AspireStreaming.Benchmarks.Load;

/// <summary>Closed-loop publishing: each connection sends its next request when the last one is answered.</summary>
internal static class PublishLoad
{
    private const int Streams = 128;

    /// <summary>Prints <c>events/s</c>, requests that were refused and the median time of a request.</summary>
    /// <param name="port">The Publisher API's HTTP port on 127.0.0.1.</param>
    /// <param name="connections">Connections.</param>
    /// <param name="events">Events in all.</param>
    /// <param name="batch">Events a request.</param>
    public static async Task<int> RunAsync(int port, int connections, int events, int batch)
    {
        var run = Guid.NewGuid().ToString("N")[..6];
        var requests = Enumerable.Range(0, Streams).Select(stream => Request($"load-{run}-{stream}", batch)).ToArray();
        var remaining = events / batch;
        var refused = 0;
        var times = new List<long>[connections];
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, connections).Select(async number =>
        {
            using var line = new HttpLine();
            await line.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port)).ConfigureAwait(false);
            var own = times[number] = [];

            // A connection keeps to its streams, so that it proves their order.
            for (var turn = number; Interlocked.Decrement(ref remaining) >= 0; turn += connections)
            {
                var sent = Stopwatch.GetTimestamp();
                if (await line.SendAsync(requests[turn % Streams]).ConfigureAwait(false) is < 200 or > 299)
                {
                    Interlocked.Increment(ref refused);
                }

                own.Add(Stopwatch.GetTimestamp() - sent);
            }
        })).ConfigureAwait(false);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var sorted = times.SelectMany(own => own).Order().ToArray();
        var median = Stopwatch.GetElapsedTime(0, sorted[sorted.Length / 2]).TotalMilliseconds;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{events / batch * (long)batch / seconds:F0} events/s, {refused} refused, p50 {median:F2} ms"));
        return refused == 0 ? 0 : 1;
    }

    private static byte[] Request(string stream, int batch)
    {
        var one = $$$"""{"type":"order.updated","data":{"n":1,"s":7,"pad":"{{{new string('x', 120)}}}"}}""";
        var body = batch == 1 ? one : "[" + string.Join(',', Enumerable.Repeat(one, batch)) + "]";
        return Encoding.ASCII.GetBytes(
            $"POST /streams/{stream}/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
    }
}
