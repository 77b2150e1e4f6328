using AspireStreaming.StreamApi.Statistics;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Wire;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>What all feeds share.</summary>
internal sealed class FeedServices(
    IConnectionMultiplexer redis,
    DirectSubscriptions direct,
    HotLogReader log,
    TierReader tiers,
    RedisGate gate,
    StoreRetry retry,
    WindowBudget budget,
    WorkflowTally tally,
    StreamApiMetrics metrics,
    IOptions<DeliveryOptions> options,
    TimeProvider time,
    ILogger<StreamFeed> logger)
{
    public IConnectionMultiplexer Redis => redis;

    public DirectSubscriptions Direct => direct;

    public HotLogReader Log => log;

    public TierReader Tiers => tiers;

    public RedisGate Gate => gate;

    public StoreRetry Retry => retry;

    public WindowBudget Budget => budget;

    public WorkflowTally Tally => tally;

    public StreamApiMetrics Metrics => metrics;

    public DeliveryOptions Options { get; } = options.Value;

    public TimeProvider Time => time;

    public ILogger Logger => logger;
}
