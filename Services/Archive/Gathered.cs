namespace AspireStreaming.Archive;

/// <summary>
/// Asks something that is cheaper to ask about several things at once. A question is asked at once while none is under way; those that
/// come meanwhile are asked together after that. So much asking costs few round trips, and little waits for nothing. Thread-safe.
/// </summary>
/// <remarks>
/// Nothing here waits longer than those who ask: when all those of a round have given up, it is cancelled, and the next begins without
/// waiting for its end.
/// </remarks>
/// <param name="ask">
/// Answers each question, in order; fails by its task alone. Its token is cancelled when nobody waits any more.
/// </param>
/// <param name="mostTogether">Most questions in a round.</param>
internal sealed class Gathered<TQuestion, TAnswer>(
    Func<IReadOnlyList<TQuestion>, CancellationToken, Task<IReadOnlyList<TAnswer>>> ask, int mostTogether)
{
    private readonly Lock _lock = new();
    private readonly Queue<Asked> _waiting = new();
    private bool _isUnderWay;

    /// <summary>Asks.</summary>
    /// <exception cref="OperationCanceledException">Whoever asks gave up.</exception>
    /// <exception cref="Exception">What the asking throws, for each question of the round.</exception>
    public async Task<TAnswer> AskAsync(TQuestion question, CancellationToken cancellationToken)
    {
        var asked = new Asked(question);
        bool isFirst;
        lock (_lock)
        {
            _waiting.Enqueue(asked);
            isFirst = !_isUnderWay;
            _isUnderWay = true;
        }

        if (isFirst)
        {
            StartNext();
        }

        await using (cancellationToken.UnsafeRegister((_, token) => GiveUp(asked, token), null).ConfigureAwait(false))
        {
            return await asked.Task.ConfigureAwait(false);
        }
    }

    private void StartNext()
    {
        var questions = new List<TQuestion>();
        var round = new Round();
        lock (_lock)
        {
            while (round.Questions.Count < mostTogether && _waiting.TryDequeue(out var asked))
            {
                if (!asked.Task.IsCompleted)
                {
                    asked.Round = round;
                    round.Questions.Add(asked);
                    questions.Add(asked.Question);
                }
            }

            round.Waiting = questions.Count;
            _isUnderWay = questions.Count > 0;
        }

        if (questions.Count > 0)
        {
            _ = RunAsync(round, questions);
        }
    }

    /// <summary>Never fails; ends soon after the last who waits for it.</summary>
    private async Task RunAsync(Round round, List<TQuestion> questions)
    {
        try
        {
            using var givenUp = new CancellationTokenSource();
            var asking = ask(questions, givenUp.Token);
            var isAbandoned = await Task.WhenAny(asking, round.Abandoned.Task).ConfigureAwait(false) != asking;
            StartNext();
            if (isAbandoned)
            {
                await givenUp.CancelAsync().ConfigureAwait(false);
            }

            var answers = await asking.ConfigureAwait(false);
            for (var index = 0; index < questions.Count; index++)
            {
                round.Questions[index].TrySetResult(answers[index]);
            }
        }
        catch (Exception exception)
        {
            foreach (var asked in round.Questions)
            {
                asked.TrySetException(exception);
            }
        }
    }

    private void GiveUp(Asked asked, CancellationToken cancellationToken)
    {
        if (!asked.TrySetCanceled(cancellationToken))
        {
            return;
        }

        Round? abandoned = null;
        lock (_lock)
        {
            if (asked.Round is { } round && --round.Waiting == 0)
            {
                abandoned = round;
            }
        }

        abandoned?.Abandoned.TrySetResult();
    }

    private sealed class Asked(TQuestion question) : TaskCompletionSource<TAnswer>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public TQuestion Question { get; } = question;

        /// <summary>The round it is asked in; under the lock.</summary>
        public Round? Round { get; set; }
    }

    private sealed class Round
    {
        public List<Asked> Questions { get; } = [];

        /// <summary>How many still wait; under the lock.</summary>
        public int Waiting { get; set; }

        public TaskCompletionSource Abandoned { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
