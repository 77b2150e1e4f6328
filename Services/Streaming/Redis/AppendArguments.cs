using AspireStreaming.Streaming.Redis.Wire;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>What append.lua expects for one request, in the form that either connection sends; append.lua says what is what.</summary>
/// <param name="epoch">The partition's epoch.</param>
/// <param name="head">The same with what else the script has to know; null where there is nothing else.</param>
/// <param name="isGenerated">Whether all ids are the publisher's own, so that there are no identities.</param>
/// <param name="events">The events.</param>
internal sealed class AppendArguments(byte[] epoch, string? head, bool isGenerated, IReadOnlyList<AppendEvent> events)
{
    /// <summary>How many they are.</summary>
    public int Count { get; } = 1 + (isGenerated ? events.Count : 2 * events.Count);

    /// <summary>About what they weigh.</summary>
    public int Bytes { get; } = Weigh(events);

    public void Write(RespBuffer into)
    {
        if (head is null)
        {
            into.Write(epoch);
        }
        else
        {
            into.Write(head);
        }

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
        into[next++] = head is null ? epoch : head;
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
