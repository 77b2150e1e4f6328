using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>The one process of Redis that has everything, where there is one.</summary>
internal static class SoleMaster
{
    /// <summary>Finds it.</summary>
    /// <returns>Null where none is connected, several are, or the data may be in several.</returns>
    public static IServer? Find(IConnectionMultiplexer redis)
    {
        IServer? master = null;
        foreach (var endpoint in redis.GetEndPoints())
        {
            var server = redis.GetServer(endpoint);
            if (server.ServerType != ServerType.Standalone)
            {
                return null;
            }

#pragma warning disable CS0618 // IsReplica is its name in newer versions of the client library only.
            if (server.IsConnected && !server.IsSlave)
#pragma warning restore CS0618
            {
                if (master is not null)
                {
                    return null;
                }

                master = server;
            }
        }

        return master;
    }
}
