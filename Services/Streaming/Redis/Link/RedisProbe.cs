using System.Globalization;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis.Link;

/// <summary>
/// Checks the connections of one multiplexer: a PING on each, and a message to itself, which shows that messages arrive and not only
/// that the connection answers.
/// </summary>
/// <param name="multiplexer">The connections.</param>
/// <param name="onLateAnswer">Called when a PING that was given up is answered after all: whoever waits for Redis need not wait longer.</param>
/// <param name="time">The clock.</param>
internal sealed class RedisProbe(IConnectionMultiplexer multiplexer, Action onLateAnswer, TimeProvider time)
{
    /// <summary>The connection that commands take.</summary>
    public const string Commands = "command";

    /// <summary>The connection that messages come on.</summary>
    public const string Messages = "message";

    private readonly RedisChannel _channel = new($"link:{Guid.NewGuid():N}", RedisChannel.PatternMode.Literal);
    private Action<RedisChannel, RedisValue>? _handler;
    private TaskCompletionSource<bool>? _echo;
    private string _expected = "";
    private long _count;

    public IConnectionMultiplexer Multiplexer => multiplexer;

    /// <summary>One check; one at a time.</summary>
    /// <returns>The part that did not answer, and why; null when all is well.</returns>
    public async Task<(string Part, Exception Reason)?> CheckAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        var ping = multiplexer.GetDatabase().PingAsync();
        try
        {
            await Within(ping).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            _ = ping.ContinueWith(
                OnLateAnswer, onLateAnswer, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            return (Commands, exception);
        }

        try
        {
            var subscriber = multiplexer.GetSubscriber();
            if (_handler is null)
            {
                _handler = OnMessage;
                await Within(subscriber.SubscribeAsync(_channel, _handler)).ConfigureAwait(false);
            }

            await Within(subscriber.PingAsync()).ConfigureAwait(false);
            var echo = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            Volatile.Write(ref _expected, (++_count).ToString(CultureInfo.InvariantCulture));
            Volatile.Write(ref _echo, echo);
            await Within(multiplexer.GetDatabase().PublishAsync(_channel, _expected)).ConfigureAwait(false);
            await Within(echo.Task).ConfigureAwait(false);
            return null;
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            return (Messages, exception);
        }

        Task Within(Task task)
        {
            var left = timeout - time.GetElapsedTime(start);
            return task.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, time, cancellationToken);
        }
    }

    private static void OnLateAnswer(Task ping, object? onLateAnswer)
    {
        if (ping.IsCompletedSuccessfully)
        {
            ((Action)onLateAnswer!)();
        }
        else
        {
            // Its failure is seen, and told by the checks.
            _ = ping.Exception;
        }
    }

    private void OnMessage(RedisChannel channel, RedisValue message)
    {
        if (message == Volatile.Read(ref _expected))
        {
            Volatile.Read(ref _echo)?.TrySetResult(true);
        }
    }
}
