using AspireStreaming.Streaming.Redis.Wire;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>What append.lua expects for one request, in the form that either connection sends; append.lua says what is what.</summary>
/// <param name="epoch">The partition's epoch, for the script that serves all partitions; else null.</param>
/// <param name="limit">Most bytes in the archive log.</param>
/// <param name="attempt">The request's name, and where there are identities what bounds them.</param>
/// <param name="rare">What is seldom needed, or empty.</param>
/// <param name="isGenerated">Whether all ids are the publisher's own, so that there are no identities.</param>
/// <param name="events">The events.</param>
internal sealed class AppendArguments(byte[]? epoch, long limit, string attempt, string rare, bool isGenerated, IReadOnlyList<AppendEvent> events)
{
    /// <summary>How many they are.</summary>
    public int Count { get; } = (epoch is null ? 4 : 5) + (isGenerated ? events.Count : 2 * events.Count);

    /// <summary>About what they weigh.</summary>
    public int Bytes { get; } = Weigh(events);

    private int EventCount => isGenerated ? -events.Count : events.Count;

    public void Write(RespBuffer into)
    {
        if (epoch is not null)
        {
            into.Write(epoch);
        }

        into.Write(limit);
        into.Write(attempt);
        into.Write(rare);
        into.Write(EventCount);
        for (var index = 0; index < events.Count; index++)
        {
            var item = events[index];
            if (!isGenerated)
            {
                into.Write(item.IdGenerated ? [] : EventIdentity.Of(item.Source, item.Id));
            }

            into.Write(item.Frame);
        }
    }

    public void CopyTo(Span<RedisValue> into)
    {
        var next = 0;
        if (epoch is not null)
        {
            into[next++] = epoch;
        }

        into[next++] = limit;
        into[next++] = attempt;
        into[next++] = rare;
        into[next++] = EventCount;
        for (var index = 0; index < events.Count; index++)
        {
            var item = events[index];
            if (!isGenerated)
            {
                into[next++] = item.IdGenerated ? RedisValue.EmptyString : EventIdentity.Of(item.Source, item.Id);
            }

            into[next++] = item.Frame;
        }
    }

    private static int Weigh(IReadOnlyList<AppendEvent> events)
    {
        var bytes = 0;
        for (var index = 0; index < events.Count; index++)
        {
            bytes += events[index].Frame.Length;
        }

        return bytes;
    }
}
