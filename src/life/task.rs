//! The only place that spawns: a [`Task`] or a [`TaskSet`] owns every task there is.
//!
//! Dropping the owner aborts the task, so nothing outlives what it was made for (invariant 6: no
//! detached task). A task that panics is told in the log under its name; nobody else is harmed.
//!
//! ```
//! use sidegate::life::task;
//!
//! let runtime = task::local_runtime().unwrap();
//! runtime.block_on(async {
//!     let answer = task::spawn_local("answer", async { 42 }).await;
//!     assert_eq!(answer, Some(42));
//! });
//! ```

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use rustc_hash::FxHashMap;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::task::{AbortHandle, JoinHandle};

/// A runtime of one thread, for tasks that are not `Send`: what a worker runs on.
pub fn local_runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
}

/// A running task. Awaiting it gives its result, or `None` when it panicked; dropping it aborts
/// the task.
#[must_use = "dropping a task aborts it"]
pub struct Task<T>(JoinHandle<T>);

/// Starts a task on this thread's [`LocalRuntime`].
#[allow(
    clippy::disallowed_methods,
    reason = "this is where tasks get their owner"
)]
pub fn spawn_local<F>(name: &'static str, future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    Task(tokio::task::spawn_local(Named { name, future }))
}

/// Starts a task that any thread of this runtime may run.
#[allow(
    clippy::disallowed_methods,
    reason = "this is where tasks get their owner"
)]
pub fn spawn<F>(name: &'static str, future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Task(tokio::spawn(Named { name, future }))
}

pin_project! {
    /// A task's future and its name. It is written out because an async block that awaits what
    /// it was given has room for it twice, and a task is copied several times before it runs.
    struct Named<F> {
        name: &'static str,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Named<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let tell = TellPanic(this.name);
        let output = this.future.poll(context);
        drop(tell);
        output
    }
}

pin_project! {
    /// A task that belongs to a set.
    struct Member<F> {
        #[pin]
        task: Named<F>,
        // Dropped with the task, however that ends.
        leave: Leave,
    }
}

impl<F: Future> Future for Member<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.project().task.poll(context)
    }
}

/// Dropped while unwinding, it says which task it was.
struct TellPanic(&'static str);

impl Drop for TellPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(task = self.0, "a task panicked");
        }
    }
}

// === impl Task ===

impl<T> Task<T> {
    /// Ends the task; it stops at its next await.
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Whether it has ended, however.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(context).map(Result::ok)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("finished", &self.0.is_finished())
            .finish()
    }
}

/// Any number of tasks of this thread with one owner; they end with it at the latest.
#[derive(Default)]
pub struct TaskSet {
    tasks: Rc<RefCell<Tasks>>,
}

#[derive(Default)]
struct Tasks {
    next: u64,
    running: FxHashMap<u64, AbortHandle>,
    waiting: Option<std::task::Waker>,
}

// === impl TaskSet ===

impl TaskSet {
    /// A set without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task that belongs to the set; it forgets the task when that ends by itself.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is where tasks get their owner"
    )]
    pub fn spawn_local<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + 'static,
    {
        let key = {
            let mut tasks = self.tasks.borrow_mut();
            tasks.next = tasks.next.wrapping_add(1);
            tasks.next
        };
        let leave = Leave {
            set: Rc::downgrade(&self.tasks),
            key,
        };
        let task = Named { name, future };
        let handle = tokio::task::spawn_local(Member { task, leave });
        self.tasks
            .borrow_mut()
            .running
            .insert(key, handle.abort_handle());
    }

    /// How many of its tasks run.
    pub fn len(&self) -> usize {
        self.tasks.borrow().running.len()
    }

    /// Whether none of its tasks runs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ready when none of its tasks runs. One waiter at a time.
    pub fn poll_empty(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut tasks = self.tasks.borrow_mut();
        if tasks.running.is_empty() {
            return Poll::Ready(());
        }
        tasks.waiting = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for TaskSet {
    fn drop(&mut self) {
        let running = std::mem::take(&mut self.tasks.borrow_mut().running);
        for handle in running.values() {
            handle.abort();
        }
    }
}

impl fmt::Debug for TaskSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSet").field("len", &self.len()).finish()
    }
}

/// Takes a task out of its set when the task ends, however it ends.
struct Leave {
    set: Weak<RefCell<Tasks>>,
    key: u64,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let Some(set) = self.set.upgrade() else {
            return;
        };
        let waiting = {
            let mut tasks = set.borrow_mut();
            tasks.running.remove(&self.key);
            if tasks.running.is_empty() {
                tasks.waiting.take()
            } else {
                None
            }
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, poll_fn};

    use super::*;

    struct OnDrop(Rc<Cell<u32>>);

    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    fn endless(dropped: &Rc<Cell<u32>>) -> impl Future<Output = ()> + 'static {
        let guard = OnDrop(Rc::clone(dropped));
        async move {
            pending::<()>().await;
            drop(guard);
        }
    }

    #[tokio::test(flavor = "local")]
    async fn a_dropped_task_ends() {
        let dropped = Rc::default();
        let task = spawn_local("endless", endless(&dropped));
        tokio::task::yield_now().await;
        drop(task);
        tokio::task::yield_now().await;
        assert_eq!(dropped.get(), 1);
    }

    #[tokio::test(flavor = "local")]
    async fn a_dropped_set_ends_its_tasks() {
        let dropped = Rc::default();
        let set = TaskSet::new();
        for _ in 0..10 {
            set.spawn_local("endless", endless(&dropped));
        }
        assert_eq!(set.len(), 10);
        drop(set);
        tokio::task::yield_now().await;
        assert_eq!(dropped.get(), 10);
    }

    #[tokio::test(flavor = "local")]
    async fn a_set_forgets_tasks_that_end_and_tells_when_it_is_empty() {
        let set = TaskSet::new();
        for turns in 0..10 {
            set.spawn_local("turns", async move {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            });
        }
        poll_fn(|context| set.poll_empty(context)).await;
        assert!(set.is_empty());
    }

    #[tokio::test(flavor = "local")]
    async fn a_panic_ends_its_own_task_only() {
        let set = TaskSet::new();
        set.spawn_local("bad", async { panic!("on purpose") });
        assert_eq!(
            spawn_local("bad", async { panic!("on purpose") }).await,
            None::<()>
        );
        assert_eq!(spawn_local("good", async { 1 }).await, Some(1));
        assert!(set.is_empty());
    }
}
