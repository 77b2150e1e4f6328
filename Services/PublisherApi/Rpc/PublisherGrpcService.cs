using AspireStreaming.PublisherApi.Appending;
using AspireStreaming.PublisherApi.Events;
using AspireStreaming.PublisherApi.Http;
using AspireStreaming.ServiceDefaults;
using AspireStreaming.ServiceDefaults.Auth;
using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.V1;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace AspireStreaming.PublisherApi.Rpc;

/// <summary>The gRPC side of the Publisher API: the same checks, appends and problems as over HTTP.</summary>
internal sealed class PublisherGrpcService(
    MessageEventReader reader,
    EventAppender appender,
    ArchiveProgress archive,
    InFlightBytes inFlight,
    PublishRate rate,
    StreamActivity activity,
    PublisherMetrics metrics,
    LongRequests longRequests,
    IOptions<PublisherOptions> options,
    TimeProvider time) : Publisher.PublisherBase
{
    private static readonly TimeSpan ArchiveTimeout = TimeSpan.FromSeconds(10);

    private readonly PublisherOptions _options = options.Value;

    public override async Task<PublishResponse> Publish(PublishRequest request, ServerCallContext context)
    {
        activity.RequestStarted();
        try
        {
            var caller = CallerOf(context);
            return rate.WaitOf(caller.Name) is { Ticks: > 0 } wait
                ? throw Refuse(Refusals.TooFast(wait))
                : await PublishAsync(request, caller, context.CancellationToken);
        }
        finally
        {
            activity.RequestEnded();
        }
    }

    public override async Task PublishStream(
        IAsyncStreamReader<PublishRequest> requestStream, IServerStreamWriter<PublishResponse> responseStream, ServerCallContext context)
    {
        activity.RequestStarted();
        longRequests.Started();
        var caller = CallerOf(context);
        using var silence = new CancellationTokenSource(_options.UploadIdleTimeout, time);
        using var expiry = caller.Access.StartExpiry(time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(
            [silence.Token, expiry.Token, longRequests.Ending, context.CancellationToken]);
        try
        {
            // One request at a time: a stream's order is the order in which its appends are answered, and a retry must not fall
            // behind the next append. What is not read stays with the client by HTTP/2 flow control.
            while (await MoveNextAsync(requestStream, caller, silence, expiry, either.Token, context.CancellationToken))
            {
                var response = await PublishAsync(requestStream.Current, caller, context.CancellationToken);
                await responseStream.WriteAsync(response, context.CancellationToken);
                silence.CancelAfter(_options.UploadIdleTimeout);
            }
        }
        finally
        {
            activity.RequestEnded();
            longRequests.Ended();
        }
    }

    private async Task<bool> MoveNextAsync(
        IAsyncStreamReader<PublishRequest> requests,
        Caller caller,
        CancellationTokenSource silence,
        CancellationTokenSource expiry,
        CancellationToken ending,
        CancellationToken cancellationToken)
    {
        try
        {
            // A request that is there already would be taken without a look at the token.
            ending.ThrowIfCancellationRequested();
            for (var wait = rate.WaitOf(caller.Name); wait > TimeSpan.Zero; wait = rate.WaitOf(caller.Name))
            {
                await Task.Delay(wait, time, ending);
            }

            return await requests.MoveNext(ending);
        }
        catch (Exception exception) when (exception is OperationCanceledException or RpcException
            && ending.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw Refuse(
                expiry.IsCancellationRequested ? Refusals.TokenExpired()
                    : silence.IsCancellationRequested
                    ? new Problem(ProblemKind.IdleTimeout, $"Nothing came for {_options.UploadIdleTimeout.TotalSeconds} s.")
                    : new Problem(ProblemKind.Draining, "The service is stopping; publish elsewhere.") { RetryAfter = TimeSpan.FromSeconds(1) });
        }
    }

    private async Task<PublishResponse> PublishAsync(PublishRequest request, Caller caller, CancellationToken cancellationToken)
    {
        if (Check(request, out var expected) is { } bad)
        {
            throw Refuse(bad);
        }

        if (request.Streams.Count == 0 && !caller.Access.CanPublish(request.Stream))
        {
            throw Refuse(Refusals.Forbidden(request.Stream));
        }

        var reserved = request.CalculateSize();
        if (!inFlight.TryReserve(reserved))
        {
            throw Refuse(Refusals.TooMuch(_options));
        }

        try
        {
            var batch = new EventBatch();
            for (var index = 0; index < request.Events.Count; index++)
            {
                if (reader.Read(request.Events[index], batch, index) is { } fault)
                {
                    throw Refuse(Problem.From(fault));
                }
            }

            rate.Take(caller.Name, batch.Events.Count * Math.Max(1, request.Streams.Count));
            if (request.Streams.Count > 0)
            {
                return await PublishToManyAsync(request, batch, expected, caller.Access, cancellationToken);
            }

            var (totals, archived, problem) = await AppendAsync(request.Stream, request, batch, expected, cancellationToken);
            if (problem is not null)
            {
                throw Refuse(problem, batch.Attempt);
            }

            return new PublishResponse
            {
                First = totals.First.ToString(),
                Last = totals.Last.ToString(),
                Accepted = (int)totals.Accepted,
                Duplicates = (int)totals.Duplicates,
                Durability = archived == true ? "archived" : "log",
                Idempotency = totals.IdempotencyPartial ? "partial" : "",
            };
        }
        finally
        {
            inFlight.Release(reserved);
        }
    }

    /// <summary>The same events to several streams, side by side; what happens in one does not concern the others.</summary>
    private async Task<PublishResponse> PublishToManyAsync(
        PublishRequest request, EventBatch batch, StreamPosition? expected, StreamAccess access, CancellationToken cancellationToken)
    {
        var outcomes = await Task.WhenAll(request.Streams.Select(stream => access.CanPublish(stream)
            ? AppendAsync(stream, request, batch, expected, cancellationToken)
            : Task.FromResult<(PublishTotals Totals, bool? Archived, Problem? Problem)>((default, null, Refusals.Forbidden(stream)))));
        var response = new PublishResponse { Durability = outcomes.All(outcome => outcome.Archived == true) ? "archived" : "log" };
        for (var index = 0; index < outcomes.Length; index++)
        {
            var (totals, archived, problem) = outcomes[index];
            var result = new PublishResult { Stream = request.Streams[index] };
            if (problem is null)
            {
                result.First = totals.First.ToString();
                result.Last = totals.Last.ToString();
                result.Accepted = (int)totals.Accepted;
                result.Duplicates = (int)totals.Duplicates;
                result.Status = archived == false ? StatusCodes.Status202Accepted : StatusCodes.Status200OK;
                response.Accepted += result.Accepted;
                response.Duplicates += result.Duplicates;
                response.Idempotency = totals.IdempotencyPartial ? "partial" : response.Idempotency;
            }
            else
            {
                metrics.Refused(problem.Kind);
                result.Status = Problems.Status(problem.Kind);
                result.Title = $"{Problems.Title(problem.Kind)}: {problem.Detail}";
                result.Type = Problems.Uri(problem.Kind);
                result.Current = problem.Current?.ToString() ?? "";
            }

            response.Results.Add(result);
        }

        return response;
    }

    private async Task<(PublishTotals Totals, bool? Archived, Problem? Problem)> AppendAsync(
        string stream, PublishRequest request, EventBatch batch, StreamPosition? expected, CancellationToken cancellationToken)
    {
        using var span = PublisherActivity.StartAppend(stream, batch.Events.Count);
        var append = batch.ToRequest(stream, expected);
        var outcome = await appender.AppendAsync(append, cancellationToken);
        if (Refusals.Of(outcome, append, _options) is { } problem)
        {
            return (default, null, problem);
        }

        var totals = default(PublishTotals).Add(outcome.Result!);
        bool? archived = request.Durability == "archived"
            ? await archive.WaitAsync(stream, totals.Newest, ArchiveTimeout, longRequests.Ending, cancellationToken)
            : null;
        return (totals, archived, null);
    }

    private Problem? Check(PublishRequest request, out StreamPosition? expected)
    {
        expected = null;
        if (request.Stream.Length > 0 == request.Streams.Count > 0)
        {
            return Problem.Parameter("stream", "A publish names 'stream' or 'streams', not both.");
        }

        if (request.Streams.Count > _options.MaxStreamsPerRequest)
        {
            return Problem.Parameter("streams", $"A publish names at most {_options.MaxStreamsPerRequest} streams.") with
            {
                Limit = _options.MaxStreamsPerRequest,
            };
        }

        if (request.Stream.Length > 0 ? !StreamName.IsValid(request.Stream) : request.Streams.Any(stream => !StreamName.IsValid(stream)))
        {
            return new Problem(ProblemKind.InvalidStream, $"Not a stream name: {StreamName.Rule}.")
            {
                Field = request.Stream.Length > 0 ? "stream" : "streams",
            };
        }

        if (request.Streams.Count > 1 && request.Streams.ToHashSet(StringComparer.Ordinal).Count < request.Streams.Count)
        {
            return Problem.Parameter("streams", "A stream is named twice.");
        }

        if (request.Expected.Length > 0)
        {
            if (!StreamPosition.TryParse(request.Expected, out var position))
            {
                return Problem.Parameter("expected", "'expected' must be a position, <epoch>-<seq>; 0-0 for a new stream.");
            }

            expected = position;
        }

        if (request.Durability is not ("" or "log" or "archived"))
        {
            return Problem.Parameter("durability", "'durability' must be 'log' or 'archived'.");
        }

        if (request.Events.Count == 0)
        {
            return new Problem(ProblemKind.InvalidEvent, "A publish must have at least one event.");
        }

        if (request.Events.Count > _options.MaxBatchEvents)
        {
            return new Problem(ProblemKind.TooLarge, $"A batch has at most {_options.MaxBatchEvents} events.")
            {
                Limit = _options.MaxBatchEvents,
            };
        }

        return request.CalculateSize() > _options.MaxBatchBytes
            ? new Problem(ProblemKind.TooLarge, $"A request has at most {_options.MaxBatchBytes} bytes.") { Limit = _options.MaxBatchBytes }
            : null;
    }

    private Caller CallerOf(ServerCallContext context)
    {
        var http = context.GetHttpContext();
        return new Caller(http.GetStreamAccess(), rate.CallerOf(http));
    }

    private RpcException Refuse(Problem problem, string? idStem = null)
    {
        metrics.Refused(problem.Kind);
        return GrpcProblems.ToException(problem, idStem);
    }

    /// <summary>Who calls.</summary>
    /// <param name="Access">What it may do.</param>
    /// <param name="Name">Whom its events count for.</param>
    private readonly record struct Caller(StreamAccess Access, string Name);
}
