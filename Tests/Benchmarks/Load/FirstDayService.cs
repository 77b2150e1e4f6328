using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireStreaming.Benchmarks.Load;

/// <summary>
/// What one writes on the first day, to be held against: checks nothing, remembers nothing, archives nothing. One script (INCR, XADD,
/// PUBLISH) an event, events over Redis pub/sub into a channel for each subscriber, ASP.NET Core's server-sent events.
/// </summary>
internal static class FirstDayService
{
    private const string Script = """
        local sequence = redis.call('INCR', KEYS[1] .. ':n')
        local event = ARGV[1] .. ',"sequence":' .. sequence .. '}'
        redis.call('XADD', KEYS[1], 'MAXLEN', '~', 10000, sequence .. '-0', 'e', event)
        redis.call('PUBLISH', 'first-day:' .. ARGV[2], event)
        return sequence
        """;

    /// <summary>Serves on 127.0.0.1 until it is stopped.</summary>
    /// <param name="port">Where to listen.</param>
    /// <param name="redis">Connection string.</param>
    public static async Task<int> RunAsync(int port, string redis)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        using var connection = await ConnectionMultiplexer.ConnectAsync(redis).ConfigureAwait(false);
        var subscribers = new Subscribers();
        await connection.GetSubscriber().SubscribeAsync(
            new RedisChannel("first-day:*", RedisChannel.PatternMode.Pattern),
            (_, message) => subscribers.Deliver(JsonSerializer.Deserialize<StoredEvent>((string)message!, JsonSerializerOptions.Web)!)).ConfigureAwait(false);

        await using var app = builder.Build();
        app.MapGet("/alive", () => "alive");
        app.MapPost("/streams/{stream}/events", async (string stream, JsonElement body) =>
        {
            var type = body.TryGetProperty("type", out var given) ? given.GetString() : null;
            var text = JsonSerializer.Serialize(new NewEvent(stream, type ?? "message", TimeProvider.System.GetUtcNow(), body), JsonSerializerOptions.Web);
            var sequence = (long)await connection.GetDatabase().ScriptEvaluateAsync(
                Script, ["first-day:" + stream], [text[..^1], stream]).ConfigureAwait(false);
            return Results.Ok(new { stream, sequence });
        });
        app.MapGet("/streams/{stream}/events", (string stream, CancellationToken cancellationToken) =>
            TypedResults.ServerSentEvents(subscribers.FollowAsync(stream, cancellationToken)));
        await app.RunAsync($"http://127.0.0.1:{port}").ConfigureAwait(false);
        return 0;
    }

    private sealed record NewEvent(string Stream, string Type, DateTimeOffset Time, JsonElement Data);

    private sealed record StoredEvent(string Stream, string Type, DateTimeOffset Time, JsonElement Data, long Sequence);

    private sealed class Subscribers
    {
        private readonly ConcurrentDictionary<string, ConcurrentDictionary<Guid, ChannelWriter<StoredEvent>>> _streams = new(StringComparer.Ordinal);

        public void Deliver(StoredEvent stored)
        {
            if (_streams.TryGetValue(stored.Stream, out var writers))
            {
                foreach (var writer in writers.Values)
                {
                    writer.TryWrite(stored);
                }
            }
        }

        public async IAsyncEnumerable<StoredEvent> FollowAsync(string stream, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            var id = Guid.NewGuid();
            var channel = Channel.CreateUnbounded<StoredEvent>();
            var writers = _streams.GetOrAdd(stream, _ => new());
            writers[id] = channel.Writer;
            try
            {
                await foreach (var stored in channel.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                {
                    yield return stored;
                }
            }
            finally
            {
                writers.TryRemove(id, out _);
            }
        }
    }
}
