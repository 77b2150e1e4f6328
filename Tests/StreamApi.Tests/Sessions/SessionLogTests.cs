using System.Collections.Concurrent;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.StreamApi.Tests.Sessions;

public sealed class SessionLogTests(SharedHost shared)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("ws")]
    [InlineData("grpc")]
    public async Task Debug_lines_tell_what_is_decided_about_each_subscription(string transport)
    {
        var stream = TestLog.NewStream();
        await using var host = await StreamApiHost.StartAsync(
            shared.Redis, "--Logging:LogLevel:AspireStreaming.StreamApi.Sessions=Debug", "--Sessions:InitialWindow=16");
        using var log = new DebugLog();
        host.Get<ILoggerFactory>().AddProvider(log);
        await shared.Log.AppendNumbersAsync(stream, 1, 200);
        await using var client = await SessionClient.OpenAsync(transport, host);

        await client.SubscribeAsync("a", stream, "start", window: null);
        await client.ReadAsync("subscribed");
        var first = await client.ReadEventsAsync(16);
        await log.UntilAsync("Subscribed", "a", stream);
        await log.UntilAsync("Paused", "a", stream);

        await client.AckAsync("a", first[^1].Position);
        await client.ReadEventsAsync(1);
        await log.UntilAsync("WindowChanged", "a", stream);

        await client.UnsubscribeAsync("a");
        await log.UntilAsync("Unsubscribed", "a", stream);

        await client.UnsubscribeAsync("b");
        await log.UntilAsync("SessionRefused", "b", "404");
    }

    /// <summary>The debug lines of sessions.</summary>
    private sealed class DebugLog : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<(string Name, string Text)> _lines = new();

        public Task UntilAsync(string name, params string[] parts) => Eventually.TrueAsync(
            () => _lines.Any(line => line.Name == name && parts.All(part => line.Text.Contains(part, StringComparison.Ordinal))),
            SseClient.Patience,
            $"a line {name} with {string.Join(", ", parts)}",
            Cancel);

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Debug)
            {
                _lines.Enqueue((eventId.Name ?? "", formatter(state, exception)));
            }
        }

        public void Dispose()
        {
        }
    }
}
