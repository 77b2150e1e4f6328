using System.Reflection;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis.Link;

/// <summary>
/// The multiplexer that the container hands out: every call goes to the one in use. Made at run time, because the interface has
/// different members in different versions of the client, and nothing here depends on which.
/// </summary>
internal class RedisMultiplexerProxy : DispatchProxy
{
    private static readonly Dictionary<string, EventInfo> Events = typeof(IConnectionMultiplexer).GetEvents()
        .SelectMany(item => new[] { (item.AddMethod!.Name, Event: item), (item.RemoveMethod!.Name, Event: item) })
        .ToDictionary(pair => pair.Name, pair => pair.Event, StringComparer.Ordinal);

    private RedisLink _link = null!;

    public static IConnectionMultiplexer Create(RedisLink link)
    {
        var multiplexer = Create<IConnectionMultiplexer, RedisMultiplexerProxy>();
        ((RedisMultiplexerProxy)(object)multiplexer)._link = link;
        return multiplexer;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        // The call of every command, and so the only one that has to be quick.
        if (args is [-1, null] && targetMethod!.Name == nameof(IConnectionMultiplexer.GetDatabase))
        {
            return _link.Database;
        }

        if (args is [Delegate handler] && Events.TryGetValue(targetMethod!.Name, out var item))
        {
            _link.Listen(item, handler, targetMethod == item.AddMethod);
            return null;
        }

        return targetMethod!.Invoke(_link.Current, BindingFlags.DoNotWrapExceptions, binder: null, args, culture: null);
    }
}
