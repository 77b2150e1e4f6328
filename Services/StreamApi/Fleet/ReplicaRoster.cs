using System.Text.Json;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Fleet;

/// <summary>
/// Who is there: a key with a time to live per replica, and the set of their ids, from which those that are gone are taken by
/// whoever notices. Thread-safe.
/// </summary>
internal sealed class ReplicaRoster(
    IConnectionMultiplexer redis, ReplicaIdentity identity, IOptions<FleetOptions> options, IOptions<HotLogOptions> hotLogOptions, TimeProvider time)
{
    // The braces keep the keys in one slot of a Redis Cluster.
    private const string Ids = "{fleet}:replicas";
    private const string KeyPrefix = "{fleet}:replica:";

    private readonly FleetOptions _options = options.Value;
    private readonly TimeSpan _timeout = hotLogOptions.Value.CommandTimeout;
    private Known _last = new([], true);

    /// <summary>The other replicas, as they were when they were last read.</summary>
    public Known LastKnown => Volatile.Read(ref _last);

    /// <summary>Says that this replica is there.</summary>
    public async Task AnnounceAsync(CancellationToken cancellationToken)
    {
        var database = redis.GetDatabase();
        var self = JsonSerializer.SerializeToUtf8Bytes(identity.Self, FleetJson.Default.Replica);
        await database.StringSetAsync(KeyPrefix + identity.Id, self, _options.AnnounceExpiry).WaitAsync(_timeout, time, cancellationToken);
        await database.SetAddAsync(Ids, identity.Id).WaitAsync(_timeout, time, cancellationToken);
        await ReadAsync(cancellationToken);
    }

    /// <summary>Says that this replica is going.</summary>
    public async Task LeaveAsync(CancellationToken cancellationToken)
    {
        var database = redis.GetDatabase();
        await database.KeyDeleteAsync(KeyPrefix + identity.Id).WaitAsync(_timeout, time, cancellationToken);
        await database.SetRemoveAsync(Ids, identity.Id).WaitAsync(_timeout, time, cancellationToken);
    }

    /// <summary>The other replicas.</summary>
    public async Task<Known> ReadAsync(CancellationToken cancellationToken)
    {
        var database = redis.GetDatabase();
        var members = await database.SetMembersAsync(Ids).WaitAsync(_timeout, time, cancellationToken);
        var ids = members.Where(member => member != identity.Id).Order().ToArray();
        var isComplete = ids.Length <= _options.MaxReplicas;
        if (!isComplete)
        {
            ids = ids[.._options.MaxReplicas];
        }

        var replicas = new List<Replica>(ids.Length);
        if (ids.Length > 0)
        {
            var values = await database.StringGetAsync([.. ids.Select(id => (RedisKey)(KeyPrefix + id))]).WaitAsync(_timeout, time, cancellationToken);
            var gone = ids.Where((_, index) => values[index].IsNull).ToArray();
            replicas.AddRange(values.Where(value => !value.IsNull)
                .Select(value => JsonSerializer.Deserialize((byte[])value!, FleetJson.Default.Replica)).OfType<Replica>());
            if (gone.Length > 0)
            {
                await database.SetRemoveAsync(Ids, gone).WaitAsync(_timeout, time, cancellationToken);
            }
        }

        var known = new Known(replicas, isComplete);
        Volatile.Write(ref _last, known);
        return known;
    }

    /// <summary>Replicas other than this one.</summary>
    /// <param name="Others">The replicas.</param>
    /// <param name="IsComplete">Whether these are all.</param>
    public sealed record Known(IReadOnlyList<Replica> Others, bool IsComplete);
}
