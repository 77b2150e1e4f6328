using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.Local;

namespace AspireStreaming.Hosting.Local.Tests.Processes;

public sealed class GuardedProcessTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Exited_program_that_ends_gives_its_code()
    {
        await using var process = TestPrograms.Shell("exit 7");

        Assert.Equal(7, await process.Exited.WaitAsync(TestPrograms.Deadline, TimeProvider.System, Ct));
    }

    [Fact]
    public async Task Exited_program_that_is_killed_gives_128_plus_the_signal()
    {
        await using var process = TestPrograms.Shell("sleep 300");
        Posix.Send(process.Id, ProcessSignal.Kill);

        Assert.Equal(128 + 9, await process.Exited.WaitAsync(TestPrograms.Deadline, TimeProvider.System, Ct));
    }

    [Fact]
    public async Task Id_is_that_of_the_program_in_a_session_of_its_own()
    {
        var lines = new ConcurrentQueue<string>();
        await using var process = TestPrograms.Shell("echo $$; exec sleep 300", lines);

        Assert.Equal(process.Id.ToString(CultureInfo.InvariantCulture), await TestPrograms.LineAsync(lines, Ct));
        Assert.Equal(process.Id, TestPrograms.SessionOf(process.Id));
    }

    [Fact]
    public async Task Start_gives_exactly_the_environment_of_the_spec()
    {
        var environment = new Dictionary<string, string>
        {
            ["PATH"] = "/usr/bin:/bin",
            ["services__my-api__http__0"] = "http://localhost:5101",
            ["Parameters.with.dots"] = "a b 'c' \"d\" $e `f` \\ é",
            ["ConnectionStrings__redis"] = "localhost:6379,password=p=q",
            ["1digit"] = "first",
            ["PWD"] = "/not/here",
            ["IFS"] = "x",
            ["EMPTY"] = "",
        };
        var lines = new ConcurrentQueue<string>();

        await using var process = GuardedProcess.Start(new ProcessSpec("env", [], "/tmp", environment), (line, _) => lines.Enqueue(line));
        await process.Exited.WaitAsync(TestPrograms.Deadline, TimeProvider.System, Ct);

        Assert.Equal(environment.Select(variable => $"{variable.Key}={variable.Value}").Order(), lines.Order());
    }

    [Fact]
    public async Task Start_leaves_the_program_no_other_files_and_no_ignored_stop_signals()
    {
        const string Script = "readlink /proc/self/fd/0; ls /proc/self/fd; sed -n 's/SigIgn:\\s*//p' /proc/self/status";
        var lines = new ConcurrentQueue<string>();
        await using var process = TestPrograms.Shell(Script, lines);
        await process.Exited.WaitAsync(TestPrograms.Deadline, TimeProvider.System, Ct);

        // What the test itself was started with goes on to every child.
        var inherited = ShortCommand.Run("/bin/sh", "-c", "ls /proc/self/fd").Output.Split('\n');
        Assert.Equal(["/dev/null", .. inherited], lines.SkipLast(1));

        // HUP, INT, QUIT, TERM. (The runtime ignores PIPE, and so do its children.)
        Assert.Equal(0, Convert.ToInt64(lines.Last(), 16) & 0x4007);
    }

    [Fact]
    public async Task Start_as_another_user_when_root()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can run programs as other users.");
        var lines = new ConcurrentQueue<string>();
        var spec = TestPrograms.ShellSpec("id -un; trap '' TERM; while :; do sleep 300; done") with { RunAsUser = "nobody" };

        await using var process = GuardedProcess.Start(spec, (line, _) => lines.Enqueue(line));
        Assert.Equal("nobody", await TestPrograms.LineAsync(lines, Ct));
        await process.StopAsync(TimeSpan.FromMilliseconds(100));

        Assert.Equal(128 + 9, await process.Exited);
    }

    [Fact]
    public void Start_of_a_missing_program_names_it()
    {
        var spec = new ProcessSpec("no-such-program", [], "/", TestPrograms.Path);

        Assert.Contains("no-such-program", Assert.Throws<DistributedApplicationException>(() => GuardedProcess.Start(spec, (_, _) => { })).Message);
        Assert.Contains(
            "/no/such/program",
            Assert.Throws<DistributedApplicationException>(() => GuardedProcess.Start(spec with { FileName = "/no/such/program" }, (_, _) => { })).Message);
        Assert.Contains(
            "/no/such/folder",
            Assert.Throws<DistributedApplicationException>(
                () => GuardedProcess.Start(spec with { FileName = "/bin/sh", WorkingDirectory = "/no/such/folder" }, (_, _) => { })).Message);
    }

    [Fact]
    public async Task Lines_come_in_order_and_before_the_exit()
    {
        var output = new List<string>();
        var errors = new List<string>();
        await using var process = TestPrograms.Shell(
            "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo problem >&2; printf 'no line end'",
            (line, isError) => (isError ? errors : output).Add(line));
        await process.Exited.WaitAsync(TestPrograms.Deadline, TimeProvider.System, Ct);

        Assert.Equal(["problem"], errors);
        Assert.Equal([.. Enumerable.Range(0, 20000).Select(i => $"line {i}"), "no line end"], output);
    }

    [Fact]
    public async Task StopAsync_ends_a_willing_program_with_TERM()
    {
        var lines = new ConcurrentQueue<string>();
        await using var process = TestPrograms.Shell("trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done", lines);
        await TestPrograms.LineAsync(lines, Ct);

        await process.StopAsync(TestPrograms.Deadline);

        Assert.Equal(3, await process.Exited);
    }

    [Fact]
    public async Task StopAsync_kills_a_program_that_ignores_TERM_after_the_grace()
    {
        var lines = new ConcurrentQueue<string>();
        await using var process = TestPrograms.Shell("trap '' TERM; echo ready; while :; do sleep 300; done", lines);
        await TestPrograms.LineAsync(lines, Ct);

        await process.StopAsync(TimeSpan.FromMilliseconds(100));

        Assert.Equal(128 + 9, await process.Exited);
    }

    [Theory]
    [InlineData("trap 'exit 3' TERM", 3)]
    [InlineData("trap '' TERM", 128 + 9)]
    public async Task StopAsync_ends_a_frozen_program(string trap, int exitCode)
    {
        var lines = new ConcurrentQueue<string>();
        await using var process = TestPrograms.Shell($"{trap}; echo ready; while :; do sleep 0.05; done", lines);
        await TestPrograms.LineAsync(lines, Ct);
        TestPrograms.Freeze(process.Id);
        await TestPrograms.FrozenAsync(process.Id, Ct);

        await process.StopAsync(TimeSpan.FromSeconds(1));

        Assert.Equal(exitCode, await process.Exited);
    }

    [Fact]
    public async Task StopAsync_again_and_after_the_end_does_nothing()
    {
        await using var process = TestPrograms.Shell("exec sleep 300");

        await Task.WhenAll(process.StopAsync(TestPrograms.Deadline), process.StopAsync(TestPrograms.Deadline));
        await process.StopAsync(TestPrograms.Deadline);

        Assert.Equal(128 + 15, await process.Exited);
    }

    [Fact]
    public async Task Program_that_ends_takes_what_it_started_with_it()
    {
        var lines = new ConcurrentQueue<string>();
        await using var process = TestPrograms.Shell("sleep 300 & echo $!", lines);
        var grandchild = int.Parse(await TestPrograms.LineAsync(lines, Ct));

        var clock = Stopwatch.StartNew();
        await process.Exited.WaitAsync(TestPrograms.Deadline, TimeProvider.System, Ct);

        await Eventually.TrueAsync(() => !TestPrograms.IsAlive(grandchild), TestPrograms.Deadline, "the grandchild is gone", Ct);
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }
}
