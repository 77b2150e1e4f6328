using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Fleet;

/// <summary>
/// Questions to the other replicas and their answers, over two channels of Redis: one that all hear, and one for the answers to each
/// replica. Without Redis the answer is this replica's own, and says so. Thread-safe.
/// </summary>
internal sealed class FleetChannel : IDisposable
{
    private const string AnswerPrefix = "fleet:answer:";

    private static readonly RedisChannel Questions = new("fleet:ask", RedisChannel.PatternMode.Literal);

    private readonly IConnectionMultiplexer _redis;
    private readonly ReplicaRoster _roster;
    private readonly LocalAnswers _answers;
    private readonly FleetOptions _options;
    private readonly string _self;
    private readonly TimeProvider _time;
    private readonly ILogger<FleetChannel> _logger;
    private readonly RedisChannel _ownAnswers;
    private readonly Action<RedisChannel, RedisValue> _onQuestion;
    private readonly Action<RedisChannel, RedisValue> _onAnswer;
    private readonly SemaphoreSlim _slots;
    private readonly Channel<FleetCall> _toAnswer;
    private readonly ConcurrentDictionary<long, PendingQuestion> _pending = new();
    private readonly Dictionary<string, Task<FleetOutcome>> _asking = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private long _lastId;

    public FleetChannel(
        IConnectionMultiplexer redis,
        ReplicaRoster roster,
        LocalAnswers answers,
        ReplicaIdentity identity,
        IOptions<FleetOptions> options,
        TimeProvider time,
        ILogger<FleetChannel> logger)
    {
        _redis = redis;
        _roster = roster;
        _answers = answers;
        _options = options.Value;
        _self = identity.Id;
        _time = time;
        _logger = logger;
        _ownAnswers = AnswersTo(_self);
        _onQuestion = OnQuestion;
        _onAnswer = OnAnswer;
        _slots = new SemaphoreSlim(_options.MaxConcurrentQuestions);
        _toAnswer = Channel.CreateBounded<FleetCall>(
            new BoundedChannelOptions(_options.MaxPendingAnswers) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    }

    public void Dispose() => _slots.Dispose();

    /// <summary>Asks all replicas, or this one alone. Never fails for want of the others.</summary>
    public async Task<FleetOutcome> AskAsync(FleetQuestion question, bool isLocal, CancellationToken cancellationToken)
    {
        var own = _answers.Answer(question);
        if (isLocal || IsEnough(own))
        {
            return new FleetOutcome([own], [], false);
        }

        Task<FleetOutcome>? asking;
        lock (_lock)
        {
            if (!_asking.TryGetValue(question.Key, out asking))
            {
                asking = Task.Run(() => AskOthersAsync(question), CancellationToken.None);
                _asking.Add(question.Key, asking);
            }
        }

        var others = await asking.WaitAsync(cancellationToken);
        return others with { Replies = [own, .. others.Replies] };
    }

    /// <summary>Begins to listen; again when there may be listening already, which does no harm.</summary>
    public async Task SubscribeAsync(CancellationToken cancellationToken)
    {
        var subscriber = _redis.GetSubscriber();
        foreach (var (channel, handler) in new[] { (_ownAnswers, _onAnswer), (Questions, _onQuestion) })
        {
            // The client remembers a handler even when its command failed; it must not be added twice.
            await subscriber.UnsubscribeAsync(channel, handler).WaitAsync(_options.ReplyTimeout * 4, _time, cancellationToken);
            await subscriber.SubscribeAsync(channel, handler).WaitAsync(_options.ReplyTimeout * 4, _time, cancellationToken);
        }
    }

    /// <summary>Answers the others until told to stop.</summary>
    public async Task AnswerAsync(CancellationToken stoppingToken)
    {
        await foreach (var call in _toAnswer.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                var bytes = Write(new FleetAnswer(call.Id, _answers.Answer(call.Question)), FleetJson.Default.FleetAnswer);
                await _redis.GetSubscriber().PublishAsync(AnswersTo(call.From), bytes).WaitAsync(_options.ReplyTimeout, _time, stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                // Whatever it was: the asker does not wait long, and the next one is to be answered.
                FleetLog.AnswerFailed(_logger, call.From, exception);
            }
        }
    }

    private static RedisChannel AnswersTo(string replica) => new(AnswerPrefix + replica, RedisChannel.PatternMode.Literal);

    /// <summary>A connection is one replica's: who has closed it speaks for all.</summary>
    private static bool IsEnough(FleetReply reply) => reply.Closed;

    private async Task<FleetOutcome> AskOthersAsync(FleetQuestion question)
    {
        var known = _roster.LastKnown;
        PendingQuestion? pending = null;
        var id = Interlocked.Increment(ref _lastId);
        var isReached = false;
        try
        {
            using var deadline = new CancellationTokenSource(_options.ReplyTimeout, _time);
            await _slots.WaitAsync(deadline.Token);
            try
            {
                known = await _roster.ReadAsync(deadline.Token);
                pending = new PendingQuestion(known.Others, _options.MaxReplicas, IsEnough);
                if (known.Others.Count > 0)
                {
                    _pending[id] = pending;
                    var bytes = Write(new FleetCall(id, _self, question), FleetJson.Default.FleetCall);
                    await _redis.GetSubscriber().PublishAsync(Questions, bytes).WaitAsync(deadline.Token);
                    isReached = true;
                    await ((Task)pending.Done.WaitAsync(deadline.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
                else
                {
                    isReached = true;
                }
            }
            finally
            {
                _slots.Release();
            }
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException or OperationCanceledException)
        {
            FleetLog.Unreachable(_logger, exception);
        }
        finally
        {
            _pending.TryRemove(id, out _);
            lock (_lock)
            {
                _asking.Remove(question.Key);
            }
        }

        var (replies, unanswered) = (pending ?? new PendingQuestion(known.Others, 0, IsEnough)).Take();
        if (unanswered.Count > 0)
        {
            FleetLog.Silent(_logger, unanswered.Count, string.Join(", ", unanswered));
        }

        return new FleetOutcome(replies, unanswered, !isReached || unanswered.Count > 0 || !known.IsComplete);
    }

    private byte[] Write<T>(T message, JsonTypeInfo<T> type)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(message, type);
        return bytes.Length <= _options.MaxMessageBytes
            ? bytes
            : throw new InvalidDataException($"A message of {bytes.Length} bytes is larger than Fleet:MaxMessageBytes.");
    }

    private void OnQuestion(RedisChannel channel, RedisValue message)
    {
        if (Read(message, FleetJson.Default.FleetCall) is { Question: not null, From: { Length: > 0 and <= 64 } from } call && from != _self)
        {
            _toAnswer.Writer.TryWrite(call);
        }
    }

    private void OnAnswer(RedisChannel channel, RedisValue message)
    {
        if (Read(message, FleetJson.Default.FleetAnswer) is { Reply: { Replica: not null } reply } answer
            && _pending.TryGetValue(answer.Id, out var pending))
        {
            pending.Add(reply);
        }
    }

    private T? Read<T>(RedisValue message, JsonTypeInfo<T> type)
        where T : class
    {
        var bytes = (byte[]?)message ?? [];
        if (bytes.Length > _options.MaxMessageBytes)
        {
            FleetLog.Refused(_logger, bytes.Length, null);
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(bytes, type);
        }
        catch (JsonException exception)
        {
            // Of a newer program, perhaps, in the middle of an upgrade.
            FleetLog.Refused(_logger, bytes.Length, exception);
            return null;
        }
    }
}
