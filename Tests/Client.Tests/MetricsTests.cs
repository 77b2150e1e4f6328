using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using AspireStreaming.Client.Tests.Support;

namespace AspireStreaming.Client.Tests;

public sealed class MetricsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_instrument_counts_what_it_says()
    {
        var measured = new ConcurrentDictionary<string, double>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == "AspireStreaming.Client")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => measured.AddOrUpdate(instrument.Name, value, (_, sum) => sum + value));
        listener.SetMeasurementEventCallback<double>((instrument, _, _, _) => measured.AddOrUpdate(instrument.Name, 1, static (_, sum) => sum + 1));
        listener.Start();
        using var handler = new ScriptedHandler(
            static _ => throw new HttpRequestException("refused"),
            static _ => ScriptedHandler.Receipt(1, duplicates: 2),
            static _ => ScriptedHandler.Sse(
                ScriptedHandler.Event(1), ScriptedHandler.Control("stream.gap", """{"stream":"s","from":"5-1","to":"5-3","missed":2,"reason":"dead"}""")),
            static _ => ScriptedHandler.Sse(ScriptedHandler.Event(4), ScriptedHandler.Control("stream.end", """{"stream":"s","type":"STREAM_END"}""")));
        using var http = new HttpClient(handler, disposeHandler: false) { BaseAddress = new Uri("http://service.test") };

        await new EventPublisher(http).PublishAsync("s", [new NewEvent("a"), new NewEvent("b"), new NewEvent("c")], cancellationToken: Token);
        using var subscriber = new EventSubscriber(http);
        await foreach (var item in subscriber.FollowAsync("s", cancellationToken: Token))
        {
            Assert.NotNull(item);
        }

        // Other tests run beside this one and count too.
        foreach (var (name, least) in new Dictionary<string, double>
        {
            ["messaging.client.sent.messages"] = 3,
            ["messaging.client.operation.duration"] = 1,
            ["messaging.client.consumed.messages"] = 2,
            ["aspirestreaming.client.duplicates"] = 2,
            ["aspirestreaming.client.retries"] = 1,
            ["aspirestreaming.client.reconnects"] = 1,
            ["aspirestreaming.client.losses"] = 1,
        })
        {
            Assert.True(measured.GetValueOrDefault(name) >= least, $"{name}: {measured.GetValueOrDefault(name)}");
        }
    }
}
