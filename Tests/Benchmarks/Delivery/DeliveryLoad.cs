using System.Diagnostics;
using System.Globalization;
using AspireStreaming.PublisherApi;
using AspireStreaming.PublisherApi.Events;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Benchmarks.Delivery;

/// <summary>
/// Deliveries a second of a running Stream API by each of its transports, one after another in each round. Events are appended to
/// the hot log as fast as it takes them; sessions acknowledge, with adaptive windows.
/// </summary>
internal sealed class DeliveryLoad : IDisposable
{
    private const int Batch = 500;
    private const int CallsPerConnection = 100;

    /// <summary>Rounds that do not count: with fewer, the compiler works beside the first that do.</summary>
    private const int WarmUps = 3;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>After many clients have come, the server collects what that left behind; the run is about delivery.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(3);

    private readonly ConnectionMultiplexer _redis;
    private readonly HotLog _log;
    private readonly EventReader _reader;
    private readonly int _httpPort;
    private readonly int _grpcPort;
    private readonly int _server;

    private DeliveryLoad(ConnectionMultiplexer redis, int httpPort, int grpcPort, int server)
    {
        _redis = redis;
        _httpPort = httpPort;
        _grpcPort = grpcPort;
        _server = server;
        var options = Options.Create(new HotLogOptions { MaxArchiveBacklogBytes = 0 });
        _log = new HotLog(
            redis,
            new PartitionFence(redis, options, TimeProvider.System, NullLogger<PartitionFence>.Instance),
            options,
            TimeProvider.System,
            NullLogger<HotLog>.Instance);
        var publisher = new PublisherOptions();
        _reader = new EventReader(new AttributeRules(publisher), new EventComposer(publisher, TimeProvider.System));
    }

    /// <summary>Prints a line for each transport and round, and the medians.</summary>
    /// <param name="ports">The Redis server's port, and the Stream API's for HTTP and gRPC; all on 127.0.0.1.</param>
    /// <param name="server">The Stream API's process id, whose CPU time is read from /proc.</param>
    /// <param name="subscribers">Subscribers of the one stream.</param>
    /// <param name="events">Events for each of them.</param>
    /// <param name="rounds">Rounds; before them come some that do not count.</param>
    /// <param name="only">Words of which one is in the names of the transports to be measured; none: all.</param>
    public static async Task<int> RunAsync(
        (int Redis, int Http, int Grpc) ports, int server, int subscribers, int events, int rounds, IReadOnlyList<string> only)
    {
        var redis = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{ports.Redis},allowAdmin=true").ConfigureAwait(false);
        using var load = new DeliveryLoad(redis, ports.Http, ports.Grpc, server);
        var transports = load.Transports(subscribers)
            .Where(transport => only.Count == 0 || only.Any(word => transport.Name.Contains(word, StringComparison.OrdinalIgnoreCase)))
            .ToList();
        var results = transports.ToDictionary(transport => transport.Name, _ => new List<Result>());
        for (var round = 1 - WarmUps; round <= rounds; round++)
        {
            foreach (var (name, port, make) in transports)
            {
                var result = await load.MeasureAsync(port, make, subscribers, events).ConfigureAwait(false);
                if (round > 0)
                {
                    results[name].Add(result);
                }

                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{(round <= 0 ? "warm-up" : $"round {round}"),-8} {name,-32} {result.Rate,10:N0}/s  server {result.Server:F2} us, busiest thread {result.Use.BusiestServerThread:P0}; client {result.Client:F2} us, busiest thread {result.Use.BusiestClientThread:P0}, {result.Reads:N0} reads, {result.Writes:N0} writes; idle {result.Use.Idle:P0}; {result.Bytes:F0} bytes"));
            }
        }

        var first = results[transports[0].Name];
        Console.WriteLine($"{subscribers} subscribers, {events} events, medians of {rounds}");
        foreach (var (name, values) in results)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {name,-32} {Median(values.Select(value => value.Rate)),10:N0} deliveries/s  {Median(values.Zip(first, (own, other) => own.Rate / other.Rate)):P0} of {transports[0].Name}  server {Median(values.Select(value => value.Server)):F2} us  client {Median(values.Select(value => value.Client)):F2} us  idle {Median(values.Select(value => value.Use.Idle)):P0}"));
        }

        return 0;
    }

    public void Dispose() => _redis.Dispose();

    private static double Median(IEnumerable<double> values) => values.Order().ToArray() is var sorted ? sorted[sorted.Length / 2] : 0;

    private List<(string Name, int Port, Func<string, LoadClient[]> Make)> Transports(int subscribers)
    {
        var connections = Math.Max(1, subscribers / CallsPerConnection);
        List<(string Name, int Port, Func<string, LoadClient[]> Make)> all =
        [
            ("SSE", _httpPort, stream => Repeat(subscribers, () => new SseLoadClient(stream))),
            ("WebSocket, session each", _httpPort, stream => Repeat(subscribers, () => new WebSocketLoadClient(stream, 1))),
            ("gRPC Subscribe, connection each", _grpcPort, stream => Repeat(subscribers, () => new GrpcLoadClient(stream, 1, 0))),
            ("gRPC session, connection each", _grpcPort, stream => Repeat(subscribers, () => new GrpcLoadClient(stream, 1, 1))),
        ];
        if (subscribers > 1)
        {
            all.AddRange(
            [
                ("gRPC Subscribe, 100 a connection", _grpcPort, stream => Repeat(connections, () => new GrpcLoadClient(stream, subscribers / connections, 0))),
                ("gRPC session, 100 a connection", _grpcPort, stream => Repeat(connections, () => new GrpcLoadClient(stream, subscribers / connections, 1))),
                ("WebSocket, one session", _httpPort, stream => [new WebSocketLoadClient(stream, subscribers)]),
                ("gRPC, one session", _grpcPort, stream => [new GrpcLoadClient(stream, 1, subscribers)]),
            ]);
        }

        return all;
    }

    private static LoadClient[] Repeat(int count, Func<LoadClient> make) => [.. Enumerable.Range(0, count).Select(_ => make())];

    private async Task<Result> MeasureAsync(int port, Func<string, LoadClient[]> make, int subscribers, int events)
    {
        var stream = $"load-{Guid.NewGuid():N}"[..12];
        var clients = make(stream);
        try
        {
            var running = new List<Task>();
            foreach (var client in clients)
            {
                // One after another: more at once than the server's backlog holds would be reset.
                await client.ConnectAsync(port).ConfigureAwait(false);
                running.Add(client.RunAsync());
            }

            await Task.WhenAll(clients.Select(client => client.Ready)).WaitAsync(Patience).ConfigureAwait(false);
            if (clients.Length > 1)
            {
                await Task.Delay(Settling, TimeProvider.System).ConfigureAwait(false);
            }

            var batches = Enumerable.Range(0, events / Batch).Select(_ => Events("order.updated", Batch)).ToArray();
            var (bytes, reads, writes) = Counts(clients);
            var use = new ProcessorUse(_server);
            var clock = Stopwatch.StartNew();
            foreach (var batch in batches)
            {
                await AppendAsync(stream, batch).ConfigureAwait(false);
            }

            await AppendAsync(stream, Events("STREAM_END", 1)).ConfigureAwait(false);
            await Task.WhenAll(clients.Select(client => client.Ended)).WaitAsync(Patience).ConfigureAwait(false);
            var deliveries = (double)events * subscribers;
            var rate = deliveries / clock.Elapsed.TotalSeconds;
            var used = use.Read();
            await Task.WhenAll(running).ConfigureAwait(false);
            var counts = Counts(clients);
            return new Result(
                rate,
                used.Server * 1e6 / deliveries,
                used.Client * 1e6 / deliveries,
                (counts.Bytes - bytes) / deliveries,
                counts.Reads - reads,
                counts.Writes - writes,
                used);
        }
        finally
        {
            foreach (var client in clients)
            {
                client.Dispose();
            }

            await _redis.GetDatabase().KeyDeleteAsync(StreamKeys.Stream(stream)).ConfigureAwait(false);
        }
    }

    private EventBatch Events(string type, int count)
    {
        var batch = new EventBatch();
        var body = "[" + string.Join(',', Enumerable.Repeat($$$"""{"type":"{{{type}}}","data":{"n":1,"s":7,"pad":"{{{new string('x', 120)}}}"}}""", count)) + "]";
        return _reader.Read(System.Text.Encoding.ASCII.GetBytes(body), JsonShape.EventOrArray, batch) is { } fault
            ? throw new InvalidOperationException(fault.ToString())
            : batch;
    }

    private async Task AppendAsync(string stream, EventBatch batch)
    {
        var result = await _log.AppendAsync(batch.ToRequest(stream, null), CancellationToken.None).ConfigureAwait(false);
        if (result.Status != AppendStatus.Appended)
        {
            throw new InvalidOperationException(result.Status.ToString());
        }
    }

    private static (long Bytes, long Reads, long Writes) Counts(LoadClient[] clients) =>
        (clients.Sum(client => client.Bytes), clients.Sum(client => client.Reads), clients.Sum(client => client.Writes));

    /// <summary>What one transport reached in one round.</summary>
    /// <param name="Rate">Deliveries a second.</param>
    /// <param name="Server">Microseconds of the server for each.</param>
    /// <param name="Client">Microseconds of the client for each.</param>
    /// <param name="Bytes">Bytes for each.</param>
    /// <param name="Reads">Reads of the clients.</param>
    /// <param name="Writes">Writes of the clients.</param>
    /// <param name="Use">Where the processor time went.</param>
    private sealed record Result(double Rate, double Server, double Client, double Bytes, long Reads, long Writes, ProcessorUse.Shares Use);
}
