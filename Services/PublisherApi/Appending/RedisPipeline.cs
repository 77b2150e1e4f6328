using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Options;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;

namespace AspireStreaming.PublisherApi.Appending;

/// <summary>
/// Retries with exponential backoff and jitter around the circuit: each try counts for it, and an open circuit ends the retries.
/// </summary>
internal sealed class RedisPipeline
{
    private readonly RedisCircuit _circuit;
    private readonly ResiliencePipeline _pipeline;

    public RedisPipeline(RedisCircuit circuit, PublisherMetrics metrics, IOptions<RedisResilienceOptions> options, TimeProvider time)
    {
        _circuit = circuit;
        var builder = new ResiliencePipelineBuilder { TimeProvider = time };
        if (options.Value.Tries > 1)
        {
            builder.AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = options.Value.Tries - 1,
                Delay = options.Value.RetryDelay,
                MaxDelay = options.Value.MaxRetryDelay,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                ShouldHandle = static arguments => ValueTask.FromResult(
                    arguments.Outcome.Exception is { } exception && IsUnreachable(exception, arguments.Context.CancellationToken)),
                OnRetry = arguments =>
                {
                    metrics.Retried();
                    return ValueTask.CompletedTask;
                },
            });
        }

        _pipeline = builder.AddStrategy(_ => new CircuitStrategy(circuit), new CircuitStrategyOptions()).Build();
    }

    /// <summary>Whether Redis is away or silent, as opposed to having answered something we do not like.</summary>
    public static bool IsUnreachable(Exception exception, CancellationToken cancellationToken) =>
        (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        && RedisFaults.Classify(exception) is FaultKind.Transient or FaultKind.Timeout;

    /// <exception cref="BrokenCircuitException">The circuit is open.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<TResult> ExecuteAsync<TResult, TState>(
        Func<TState, CancellationToken, ValueTask<TResult>> callback, TState state, CancellationToken cancellationToken)
    {
        // The ordinary case pays nothing for retries and circuit: only a first try that failed goes through them.
        ExceptionDispatchInfo? failure = null;
        if (_circuit.IsAtRest)
        {
            try
            {
                return await callback(state, cancellationToken);
            }
            catch (Exception exception) when (IsUnreachable(exception, cancellationToken))
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }
        }

        return await _pipeline.ExecuteAsync(
            static (call, token) => call.RunAsync(token), new Call<TResult, TState>(callback, state, failure), cancellationToken);
    }

    /// <summary>What the pipeline runs: where the first try has failed already, its failure stands for it.</summary>
    private sealed class Call<TResult, TState>(
        Func<TState, CancellationToken, ValueTask<TResult>> callback, TState state, ExceptionDispatchInfo? failure)
    {
        private ExceptionDispatchInfo? _failure = failure;

        public ValueTask<TResult> RunAsync(CancellationToken cancellationToken)
        {
            if (Interlocked.Exchange(ref _failure, null) is { } failed)
            {
                failed.Throw();
            }

            return callback(state, cancellationToken);
        }
    }

    private sealed class CircuitStrategyOptions : ResilienceStrategyOptions;

    private sealed class CircuitStrategy(RedisCircuit circuit) : ResilienceStrategy
    {
        protected override async ValueTask<Outcome<TResult>> ExecuteCore<TResult, TState>(
            Func<ResilienceContext, TState, ValueTask<Outcome<TResult>>> callback, ResilienceContext context, TState state)
        {
            var pass = circuit.Enter();
            if (pass == CircuitPass.Refused)
            {
                return Outcome.FromException<TResult>(
                    ExceptionDispatchInfo.SetCurrentStackTrace(
                        new BrokenCircuitException("The circuit to Redis is open.", circuit.Remaining)));
            }

            var outcome = await callback(context, state);
            switch (outcome.Exception)
            {
                case null:
                    circuit.Succeeded(pass);
                    break;
                case OperationCanceledException when context.CancellationToken.IsCancellationRequested:
                    circuit.Abandoned(pass);
                    break;
                case var exception when IsUnreachable(exception, context.CancellationToken):
                    circuit.Failed(pass, exception);
                    break;
                default:
                    circuit.Succeeded(pass);
                    break;
            }

            return outcome;
        }
    }
}
