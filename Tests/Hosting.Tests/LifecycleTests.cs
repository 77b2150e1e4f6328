using System.Collections.Concurrent;

namespace AspireStreaming.Hosting.Tests;

/// <summary>States, waiting, events and commands, with shell commands as resources: these need no build and start at once.</summary>
public sealed class LifecycleTests
{
    private static readonly string Forever = "exec sleep 300";

    [Fact]
    public async Task Executable_that_ends_is_finished_with_its_exit_code_and_log()
    {
        await using var app = await TestApplication.StartAsync(builder => Shell(builder, "job", "echo to-out; echo to-err >&2; exit 3"));

        await app.StateAsync("job", KnownResourceStates.Finished);

        Assert.Equal(3, app.Current("job").Snapshot.ExitCode);
        var log = await app.LogAsync("job");
        Assert.Contains("to-out", log, StringComparison.Ordinal);
        Assert.Contains("to-err", log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Missing_program_fails_to_start_and_is_named_while_the_others_run()
    {
        await using var app = await TestApplication.StartAsync(builder =>
        {
            builder.AddExecutable("broken", "no-such-program", ".");
            Shell(builder, "sound", Forever);
        });

        await app.StateAsync("broken", KnownResourceStates.FailedToStart);
        await app.HealthyAsync("sound");

        Assert.Contains("no-such-program", await app.LogAsync("broken"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WaitForCompletion_starts_after_success_and_fails_after_another_exit_code()
    {
        await using var app = await TestApplication.StartAsync(builder =>
        {
            var good = Shell(builder, "good", "exit 0");
            var bad = Shell(builder, "bad", "exit 1");
            Shell(builder, "after-good", Forever).WaitForCompletion(good);
            Shell(builder, "after-bad", Forever).WaitForCompletion(bad);
        });

        await app.HealthyAsync("after-good");
        await app.StateAsync("after-bad", KnownResourceStates.FailedToStart);

        Assert.Contains("exit code '1'", await app.LogAsync("after-bad"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WaitFor_waits_for_the_handlers_of_the_ready_event()
    {
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApplication.StartAsync(builder =>
        {
            var first = Shell(builder, "first", Forever).OnResourceReady((_, _, cancellationToken) => ready.Task.WaitAsync(cancellationToken));
            Shell(builder, "second", Forever).WaitFor(first);
        });
        await app.StateAsync("first", KnownResourceStates.Running);
        await app.StateAsync("second", KnownResourceStates.Waiting);

        ready.SetResult();

        await app.HealthyAsync("second");
    }

    [Fact]
    public async Task Explicit_start_waits_for_its_command_and_events_come_in_order()
    {
        var events = new ConcurrentQueue<string>();
        await using var app = await TestApplication.StartAsync(builder =>
        {
            builder.OnBeforeStart((_, _) => Note("before start"));
            Shell(builder, "later", Forever)
                .WithHttpEndpoint()
                .OnResourceEndpointsAllocated((_, _, _) => Note("endpoints"))
                .OnBeforeResourceStarted((_, _, _) => Note("before resource"))
                .OnResourceReady((_, _, _) => Note("ready"))
                .OnResourceStopped((_, _, _) => Note("stopped"))
                .WithExplicitStart()
                .WithCommand("greet", "Greet", context => Task.FromResult(CommandResults.Success($"hello {context.ResourceName}")));

            Task Note(string name)
            {
                events.Enqueue(name);
                return Task.CompletedTask;
            }
        });
        Assert.Equal(KnownResourceStates.NotStarted, app.Current("later").Snapshot.State?.Text);

        await app.CommandAsync("later", KnownResourceCommands.StartCommand);
        await app.HealthyAsync("later");
        var greeting = await app.CommandAsync("later", "greet");
        await app.CommandAsync("later", KnownResourceCommands.StopCommand);

        Assert.Equal(KnownResourceStates.Finished, app.Current("later").Snapshot.State?.Text);
        Assert.StartsWith("hello later-", greeting.Message, StringComparison.Ordinal);
        Assert.Equal(["before start", "endpoints", "before resource", "ready", "stopped"], events);
    }

    [Fact]
    public async Task Commands_show_what_can_be_done_in_the_present_state()
    {
        await using var app = await TestApplication.StartAsync(builder => Shell(builder, "one", Forever));
        var running = await app.HealthyAsync("one");

        Assert.Equal(["stop", "restart"], Enabled(running));
        await app.CommandAsync("one", KnownResourceCommands.StopCommand);
        Assert.Equal(["start"], Enabled(app.Current("one")));

        var unknown = await app.App.ResourceCommands.ExecuteCommandAsync("one", "no-such-command", TestContext.Current.CancellationToken);
        Assert.False(unknown.Success);

        static IEnumerable<string> Enabled(ResourceEvent state) => state.Snapshot.Commands
            .Where(command => command.State == ResourceCommandState.Enabled)
            .Select(command => command.Name);
    }

    [Fact]
    public async Task Port_in_use_fails_the_start_and_is_named()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        var port = ((System.Net.IPEndPoint)taken.LocalEndpoint).Port;

        await using var app = await TestApplication.StartAsync(builder =>
            Shell(builder, "late", Forever).WithHttpEndpoint(port: port, isProxied: false));

        await app.StateAsync("late", KnownResourceStates.FailedToStart);
        Assert.Contains($"Port {port} of endpoint 'http' is in use", await app.LogAsync("late"), StringComparison.Ordinal);
    }

    private static IResourceBuilder<ExecutableResource> Shell(IDistributedApplicationBuilder builder, string name, string script) =>
        builder.AddExecutable(name, "sh", ".", "-c", script);
}
